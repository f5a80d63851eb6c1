// SPDX-License-Identifier: MPL-2.0

// Command zkhome makes a directory to set ZOOKEEPER_HOME to from the jars of Debian's
// packages: see scripts/fetch-zookeeper.sh.
//
// The manifests of those jars name other jars by their place in the system. Java would
// load those of the system's own ZooKeeper, so the copies have no such lines.
package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const manifestName = "META-INF/MANIFEST.MF"

// alsoNeeded are jars that the server's manifest does not name: a logging backend, and
// parts of Netty for TLS. A version that has no such jar does without.
var alsoNeeded = []string{"slf4j-api.jar", "slf4j-simple.jar", "netty-codec.jar", "netty-resolver.jar"}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: zkhome jars version home")
		os.Exit(2)
	}
	if err := makeHome(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "zkhome:", err)
		os.Exit(1)
	}
}

// makeHome copies the server of a version, and the jars that it needs, from the
// directory jars into home/lib.
func makeHome(jars, version, home string) error {
	lib := filepath.Join(home, "lib")
	if err := os.MkdirAll(lib, 0o750); err != nil { //nolint:gosec // chosen by who runs this
		return err
	}
	main := filepath.Join(jars, "zookeeper.jar")
	needed, err := classPath(main)
	if err != nil {
		return err
	}
	if err := copyJar(main, filepath.Join(lib, "zookeeper-"+version+".jar")); err != nil {
		return err
	}
	for _, name := range append(needed, alsoNeeded...) {
		err := copyJar(filepath.Join(jars, name), filepath.Join(lib, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// classPath returns the file names of the jars that a jar's manifest names.
func classPath(jar string) ([]string, error) {
	r, err := zip.OpenReader(jar)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	manifest, err := fs.ReadFile(r, manifestName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", jar, err)
	}
	var names []string
	for _, line := range manifestLines(manifest) {
		if paths, ok := strings.CutPrefix(line, "Class-Path:"); ok {
			for path := range strings.FieldsSeq(paths) {
				names = append(names, filepath.Base(path))
			}
		}
	}
	return names, nil
}

// copyJar copies a jar without the Class-Path of its manifest.
func copyJar(from, to string) (err error) {
	r, err := zip.OpenReader(from)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	file, err := os.Create(to) //nolint:gosec // chosen by who runs this
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := zip.NewWriter(file)
	for _, entry := range r.File {
		if entry.Name == manifestName {
			err = copyManifest(w, entry)
		} else {
			err = w.Copy(entry)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", from, entry.Name, err)
		}
	}
	return w.Close()
}

func copyManifest(w *zip.Writer, entry *zip.File) error {
	in, err := entry.Open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	manifest, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	out, err := w.Create(manifestName)
	if err != nil {
		return err
	}
	_, err = out.Write(withoutClassPath(manifest))
	return err
}

// withoutClassPath is a manifest without its Class-Path. The other lines stay as they
// are: the format limits their length.
func withoutClassPath(manifest []byte) []byte {
	var kept bytes.Buffer
	dropping := false
	for line := range bytes.Lines(manifest) {
		continues := line[0] == ' '
		dropping = bytes.HasPrefix(line, []byte("Class-Path:")) || dropping && continues
		if !dropping {
			kept.Write(line)
		}
	}
	return kept.Bytes()
}

// manifestLines are the lines of a manifest, each joined with those that continue it.
func manifestLines(manifest []byte) []string {
	text := strings.ReplaceAll(string(manifest), "\r\n", "\n")
	return strings.Split(strings.ReplaceAll(text, "\n ", ""), "\n")
}
