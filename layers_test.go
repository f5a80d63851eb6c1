// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"go/ast"
	gobuild "go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layer is a line of a package comment that names a file, and in words what is in it.
var layer = regexp.MustCompile(`(?m)^\t(\w+\.go)\b`)

// TestLayers checks the packages whose comment lists their files, the highest first: each
// file uses only what is declared below it.
func TestLayers(t *testing.T) {
	t.Parallel()
	docs, err := filepath.Glob("internal/*/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{}
	for _, doc := range docs {
		file, err := parser.ParseFile(token.NewFileSet(), doc, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		var layers []string
		for _, line := range layer.FindAllStringSubmatch(file.Doc.Text(), -1) {
			layers = append(layers, line[1])
		}
		if len(layers) == 0 {
			continue
		}
		dir := filepath.Dir(doc)
		checked[dir] = true
		for _, fault := range upward(t, dir, layers) {
			t.Error(fault)
		}
	}
	for _, dir := range []string{"internal/locker", "internal/holder"} {
		if !checked[filepath.FromSlash(dir)] {
			t.Errorf("the comment of %s does not list its files", dir)
		}
	}
}

// TestLayersFindsAnArrowUp checks that the test above can fail.
func TestLayersFindsAnArrowUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"high.go": "package p\n\ntype High struct{ field int }\n\nfunc (High) method() Low { return Low{} }\n",
		"low.go":  "package p\n\nimport \"slices\"\n\ntype Low struct{ h []interface{ method() Low } }\n\nfunc f(h High) int { return slices.Index(nil, h.field) }\n",
		"free.go": "package p\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := upward(t, dir, []string{"high.go", "low.go", "gone.go"})
	want := []string{
		"free.go is not in the list", "gone.go is in the list, but not there",
		"low.go:7:10 uses High of high.go", "low.go:7:49 uses field of high.go",
	}
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], dir+string(filepath.Separator))
	}
	if !slices.Equal(got, want) {
		t.Errorf("it finds %q, want %q", got, want)
	}
}

// upward lists what is wrong with the layers of a package, the highest first.
func upward(t *testing.T, dir string, layers []string) (faults []string) {
	t.Helper()
	pkg, err := gobuild.ImportDir(dir, 0) // the files for this system
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		if name != "doc.go" && !slices.Contains(layers, name) {
			faults = append(faults, filepath.Join(dir, name)+" is not in the list")
		}
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, name := range layers {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			faults = append(faults, filepath.Join(dir, name)+" is in the list, but not there")
		}
	}
	// What other packages declare is not needed, and so not read. The errors are about that.
	uses := map[*ast.Ident]types.Object{}
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	self, _ := config.Check(dir, fset, files, &types.Info{Uses: uses})
	for name, object := range uses {
		local := object.Parent() != nil && object.Parent() != self.Scope() // else it is a method or a field, too
		if object.Pkg() != self || local {
			continue
		}
		from, to := fset.Position(name.Pos()), fset.Position(object.Pos())
		if slices.Index(layers, filepath.Base(from.Filename)) > slices.Index(layers, filepath.Base(to.Filename)) {
			faults = append(faults, from.String()+" uses "+name.Name+" of "+filepath.Base(to.Filename))
		}
	}
	slices.Sort(faults)
	return faults
}

// nothing imports nothing.
type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, errors.New("not read") }
