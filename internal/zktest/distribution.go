// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoDistribution is wrapped by FindDistribution where this machine has no
// ZooKeeper, or no Java to run it with.
var ErrNoDistribution = errors.New("no runnable ZooKeeper on this machine")

// Distribution is an installed ZooKeeper and the Java that runs it.
type Distribution struct {
	// Origin says in a few words where it was found, for people.
	Origin string
	// Java is the path of the java executable.
	Java string
	// Classpath holds the server, what it depends on and a logging backend.
	Classpath string
}

// FindDistribution looks for ZooKeeper in $ZOOKEEPER_HOME (an unpacked official
// tarball), then where Debian's and Homebrew's packages put it, and for Java in
// $JAVA_HOME, then on PATH. Its error wraps ErrNoDistribution and says what to
// install. A ZOOKEEPER_HOME that holds no ZooKeeper is an error rather than a
// reason to look elsewhere: whoever set it wants that one.
func FindDistribution() (Distribution, error) {
	java, err := findJava()
	if err != nil {
		return Distribution{}, err
	}
	if home := os.Getenv("ZOOKEEPER_HOME"); home != "" {
		classpath := tarballClasspath(home)
		if classpath == "" {
			return Distribution{}, fmt.Errorf("%w: ZOOKEEPER_HOME=%s has no lib/zookeeper-*.jar", ErrNoDistribution, home)
		}
		return Distribution{Origin: "ZOOKEEPER_HOME=" + home, Java: java, Classpath: classpath}, nil
	}
	if classpath := debianClasspath("/usr/share/java"); classpath != "" {
		return Distribution{Origin: "Debian's package zookeeper", Java: java, Classpath: classpath}, nil
	}
	for _, prefix := range []string{"/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"} {
		home := filepath.Join(prefix, "opt", "zookeeper")
		if classpath := tarballClasspath(home, filepath.Join(prefix, "etc", "zookeeper")); classpath != "" {
			return Distribution{Origin: "Homebrew's zookeeper in " + home, Java: java, Classpath: classpath}, nil
		}
	}
	return Distribution{}, fmt.Errorf("%w: install Debian's package zookeeper or Homebrew's, "+
		"or unpack the official tarball and set ZOOKEEPER_HOME to its directory", ErrNoDistribution)
}

// tarballClasspath is the class path of an unpacked official tarball, or "".
// configs are further directories with a logging configuration: without one the
// server logs every packet.
func tarballClasspath(home string, configs ...string) string {
	for _, lib := range []string{filepath.Join(home, "lib"), filepath.Join(home, "libexec", "lib")} {
		// Not zookeeper-jute-*.jar alone: the version follows the name at once.
		if jars, _ := filepath.Glob(filepath.Join(lib, "zookeeper-[0-9]*.jar")); len(jars) == 0 {
			continue
		}
		entries := append(configs, filepath.Join(filepath.Dir(lib), "conf"), filepath.Join(lib, "*"))
		return strings.Join(entries, string(os.PathListSeparator))
	}
	return ""
}

// debianClasspath is the class path of Debian's package in dir, or "". The jar's
// manifest names its dependencies, except the optional logging backend and parts
// of Netty that a server needs to speak TLS.
func debianClasspath(dir string) string {
	entries := []string{filepath.Join(dir, "zookeeper.jar")}
	if _, err := os.Stat(entries[0]); err != nil {
		return ""
	}
	for _, jar := range []string{"slf4j-simple.jar", "netty-codec.jar", "netty-resolver.jar"} {
		entries = append(entries, filepath.Join(dir, jar))
	}
	return strings.Join(entries, string(os.PathListSeparator))
}

func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java, err := exec.LookPath(filepath.Join(home, "bin", "java"))
		if err != nil {
			return "", fmt.Errorf("%w: JAVA_HOME=%s: %w", ErrNoDistribution, home, err)
		}
		return java, nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: install Java (Debian's default-jre-headless) or set JAVA_HOME: %w", ErrNoDistribution, err)
	}
	return java, nil
}
