// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // as ZooKeeper has it
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTickTime          = 200 * time.Millisecond
	defaultMaxSessionTimeout = time.Minute
)

// javaArgs are a server's arguments to java: a small machine that starts fast.
func javaArgs(classpath, config string, more ...string) []string {
	args := []string{
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xms32m", "-Xmx256m",
		// A test's data need not outlive the machine, and are small.
		"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024",
		"-Dzookeeper.jmx.log4j.disable=true",
		// Else a member that the others missed may be silent for up to a minute.
		"-Dzookeeper.fastleader.maxNotificationInterval=1000",
		"-Djava.net.preferIPv4Stack=true",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
	}
	return append(append(args, more...), "-cp", classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
}

// zooCfg is the text of a server's zoo.cfg.
func zooCfg(options Options, dir string, port int, quorum map[string]string) []byte {
	tick := cmp.Or(options.TickTime, defaultTickTime)
	lines := map[string]string{
		"dataDir":                filepath.ToSlash(filepath.Join(dir, "data")),
		"clientPort":             strconv.Itoa(port),
		"clientPortAddress":      loopback,
		"tickTime":               milliseconds(tick),
		"minSessionTimeout":      milliseconds(cmp.Or(options.MinSessionTimeout, 2*tick)),
		"maxSessionTimeout":      milliseconds(cmp.Or(options.MaxSessionTimeout, defaultMaxSessionTimeout)),
		"maxClientCnxns":         "0",
		"admin.enableServer":     "false",
		"4lw.commands.whitelist": "*",
		// So that a Space can look at and clear away what a test has reserved.
		"DigestAuthenticationProvider.superDigest": superUser + ":" + digest(superUser, superPassword),
	}
	maps.Copy(lines, quorum)
	maps.Copy(lines, options.Config)

	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintf(&text, "%s=%s\n", key, lines[key])
	}
	return []byte(text.String())
}

// The user who may do all on our servers.
const (
	superUser     = "super"
	superPassword = "zktest"
)

// digest is what ZooKeeper keeps of a user's password.
func digest(username, password string) string {
	sum := sha1.Sum([]byte(username + ":" + password)) //nolint:gosec // as ZooKeeper has it
	return base64.StdEncoding.EncodeToString(sum[:])
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10)
}
