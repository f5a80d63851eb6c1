// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
)

// Kerberos is a user of Kerberos, with hidden secrets: see [kerberos.User]. Exactly one of
// Keytab, KeytabFile, Password and Cache is set.
type Kerberos struct {
	Principal  string
	Keytab     Secret // its content
	KeytabFile string // an absolute path
	Password   Secret
	Cache      string // FILE: or DIR: and an absolute path
	// Configuration are the absolute paths of krb5.conf files, as KRB5_CONFIG has them.
	Configuration string
	// ServiceName is the first part of the servers' principals. The second is their host.
	ServiceName string
	// ServerPrincipal, if not empty, is the principal of all servers.
	ServerPrincipal string
}

// SASLUser is a user of the SASL mechanism DIGEST-MD5. The zero value is nobody.
type SASLUser struct {
	Username string
	Password Secret
}

func (k Kerberos) user() kerberos.User {
	return kerberos.User{
		Principal: k.Principal, Keytab: k.Keytab.reveal(), KeytabFile: k.KeytabFile, Password: k.Password.reveal(), Cache: k.Cache,
		Configuration: filepath.SplitList(k.Configuration),
	}
}

func (k Kerberos) tickets() *kerberos.Tickets {
	return kerberos.NewTickets(k.user(), kerberos.Service{Name: k.ServiceName, Principal: k.ServerPrincipal})
}

// Check returns what is wrong with the user, as far as that is known without a KDC, and
// advice. end is until when a credential cache is valid; zero for other users.
func (k Kerberos) Check() (end time.Time, advice string, err error) {
	end, err = k.user().Check()
	var known *kerberos.Error
	if errors.As(err, &known) {
		return end, known.Advice, known.Err
	}
	return end, "", err
}

// CheckServers returns which server has no principal, or nil. A server that is named by its
// address has none, unless there is one for all servers.
func (k Kerberos) CheckServers(servers []string) error {
	if k.ServerPrincipal != "" {
		return nil
	}
	for _, server := range servers {
		if host, _, err := net.SplitHostPort(server); err == nil && net.ParseIP(host) != nil {
			return fmt.Errorf("%s is an address, which no Kerberos principal has. %s", Quote(host), kerberos.AdviceAddress)
		}
	}
	return nil
}

// DefaultCache is the credential cache that the krb5.conf files name for a user, or empty.
func DefaultCache(configuration, uid, username string) string {
	return kerberos.DefaultCache(filepath.SplitList(configuration), uid, username)
}

// ParseCache splits the name of a credential cache. There is advice with an error.
func ParseCache(name string) (kind, path, advice string, err error) {
	kind, path, err = kerberos.ParseCache(name)
	return kind, path, kerberos.AdviceCache, err
}

// CheckPrincipal returns what is wrong with name[/instance][@REALM], or nil.
func CheckPrincipal(text string) error { return kerberos.CheckPrincipal(text) }

// CheckKeytab returns what is wrong with the content of a keytab, or nil.
func CheckKeytab(content string) error { return kerberos.CheckKeytab(content) }

// validate returns why k cannot come from a provider, or nil.
func (k Kerberos) validate() error {
	sources := 0
	for _, set := range []bool{k.Keytab != Secret{}, k.KeytabFile != "", k.Password != Secret{}, k.Cache != ""} {
		if set {
			sources++
		}
	}
	paths := filepath.SplitList(k.Configuration)
	if k.KeytabFile != "" {
		paths = append(paths, k.KeytabFile)
	}
	if k.Cache != "" {
		_, path, err := kerberos.ParseCache(k.Cache)
		if err != nil {
			return fmt.Errorf("zookeeper: %w", err)
		}
		paths = append(paths, path)
	}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return errors.New("zookeeper: the path of a file of Kerberos is not absolute")
		}
	}
	names := strings.Join([]string{k.Principal, k.KeytabFile, k.Password.reveal(), k.Cache, k.Configuration, k.ServiceName, k.ServerPrincipal}, "")
	switch {
	case sources != 1:
		return fmt.Errorf("zookeeper: a Kerberos user has %d secrets, not one", sources)
	case len(names) > maxIdentity*4 || len(k.Keytab.reveal()) > MaxPEM:
		return errors.New("zookeeper: a Kerberos setting is too long")
	case k.ServiceName == "" && k.ServerPrincipal == "":
		return errors.New("zookeeper: the Kerberos service has no name")
	}
	return nil
}
