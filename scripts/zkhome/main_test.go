// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/zip"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestMakeHome(t *testing.T) {
	jars, home := t.TempDir(), t.TempDir()
	writeJar(t, filepath.Join(jars, "zookeeper.jar"),
		"Manifest-Version: 1.0\r\nClass-Path: /usr/share/java/zookeeper-jute.jar /usr/share/java/j\r\n line.jar gone.jar\r\nMain-Class: Server\r\n\r\n")
	writeJar(t, filepath.Join(jars, "zookeeper-jute.jar"), "Manifest-Version: 1.0\nClass-Path: other.jar\n")
	for _, name := range []string{"jline.jar", "slf4j-simple.jar", "slf4j-nop.jar"} {
		writeJar(t, filepath.Join(jars, name), "Manifest-Version: 1.0\n")
	}
	if err := makeHome(jars, "3.9.3", home); err != nil {
		t.Fatal(err)
	}

	want := map[string]string{
		"zookeeper-3.9.3.jar": "Manifest-Version: 1.0\r\nMain-Class: Server\r\n\r\n",
		"zookeeper-jute.jar":  "Manifest-Version: 1.0\n",
		"jline.jar":           "Manifest-Version: 1.0\n",
		"slf4j-simple.jar":    "Manifest-Version: 1.0\n",
	}
	entries, err := os.ReadDir(filepath.Join(home, "lib"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		manifest, wanted := want[entry.Name()]
		if !wanted {
			t.Errorf("%s was copied, and is not needed", entry.Name())
			continue
		}
		delete(want, entry.Name())
		if got := readJar(t, filepath.Join(home, "lib", entry.Name()), manifestName); got != manifest {
			t.Errorf("the manifest of %s is %q, want %q", entry.Name(), got, manifest)
		}
		if got := readJar(t, filepath.Join(home, "lib", entry.Name()), "a.class"); got != "code" {
			t.Errorf("a class of %s is %q", entry.Name(), got)
		}
	}
	for name := range want {
		t.Errorf("%s was not copied", name)
	}
}

func writeJar(t *testing.T, path, manifest string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	w := zip.NewWriter(file)
	for name, text := range map[string]string{manifestName: manifest, "a.class": "code"} {
		entry, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func readJar(t *testing.T, path, name string) string {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	text, err := fs.ReadFile(r, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
