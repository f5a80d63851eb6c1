// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// client is the configured provider, which every block works with.
type client struct {
	runtime   Runtime
	version   string
	settings  settings
	plainText sync.Once // the user was warned of it
}

// configured takes the provider's data in a block's Configure. It is nil while
// Terraform only validates.
func configured(data any, diags *diag.Diagnostics) *client {
	if data == nil {
		return nil
	}
	c, ok := data.(*client)
	if !ok {
		diags.AddError("Unexpected Provider Data", fmt.Sprintf("Got %T. This is a bug in the provider.", data))
	}
	return c
}

// ensemble says how the provider is configured to connect to these servers.
func (c *client) ensemble(servers []string) zookeeper.Config {
	return zookeeper.Config{
		Servers:        servers,
		SessionTimeout: c.settings.sessionTimeout,
		ConnectTimeout: c.settings.connectTimeout,
		Auth:           c.settings.security.auth,
		SASL:           c.settings.security.sasl.md5,
		Kerberos:       c.settings.security.sasl.kerberos,
		TLS:            c.settings.security.tls,
		Creator:        c.settings.security.creator,
	}
}

// notes adds to the diagnostics what the holder process could not tell the user otherwise.
func (c *client) notes(diags *diag.Diagnostics) {
	if c.runtime.Notes == nil {
		return
	}
	for _, note := range c.runtime.Notes() {
		diags.AddWarning("Message Of The Lock Holder", note)
	}
}

// errNoAnswer is why a look at a lock was given up.
var errNoAnswer = errors.New("ZooKeeper did not answer in time")

// answerTime is how long a look waits for answers, at least.
const answerTime = 10 * time.Second

// look does something that only reads. It may take the time to connect, which has an
// error of its own, and as much again for the answers.
func (c *client) look(ctx context.Context, ensemble zookeeper.Config, do func(context.Context, *zookeeper.Session) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ensemble.ConnectTimeout+max(ensemble.ConnectTimeout, answerTime), errNoAnswer)
	defer cancel()
	session, err := c.runtime.Sessions.Session(ctx, ensemble)
	if err != nil {
		return err
	}
	return do(ctx, session)
}

// lookup reads the contender at znode. ok is false if it is not there.
func (c *client) lookup(ctx context.Context, req holder.Request, znode string) (entry locker.Entry, ok bool, err error) {
	err = c.look(ctx, req.Ensemble, func(ctx context.Context, s *zookeeper.Session) error {
		entry, ok, err = locker.Lookup(ctx, s, znode)
		return err
	})
	return entry, ok, err
}

// inspect reads the lock's queue.
func (c *client) inspect(ctx context.Context, req holder.Request) (queue locker.Queue, err error) {
	err = c.look(ctx, req.Ensemble, func(ctx context.Context, s *zookeeper.Session) error {
		queue, err = locker.Inspect(ctx, s, req.Lock.Dir, req.Lock.Slots)
		return err
	})
	return queue, err
}
