// Command imports holds the packages of the module in the current folder against
// the list of what each may import, and fails if one imports anything else.
//
//	imports list.txt
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "imports:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: imports list.txt")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	packages, err := list()
	if err != nil {
		return err
	}
	errs := parse(string(text)).check(packages)
	if len(errs) == 0 {
		fmt.Fprintf(out, "%d packages import only what they may\n", len(packages))
	}
	return errors.Join(errs...)
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Module     struct{ Path string }
}

func list() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Module", "./...")
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []pkg
	for d := json.NewDecoder(bytes.NewReader(data)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
	return packages, nil
}

// rules maps a package or pattern to what it may import.
type rules map[string][]string

func parse(text string) rules {
	r := rules{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			r[fields[0]] = fields[1:]
		}
	}
	return r
}

func (r rules) check(packages []pkg) []error {
	var errs []error
	for _, p := range packages {
		name := local(p.ImportPath, p.Module.Path)
		allowed, ok := r.of(name)
		if !ok {
			errs = append(errs, fmt.Errorf("%s has no line in the list", name))
			continue
		}
		for _, path := range p.Imports {
			path = local(path, p.Module.Path)
			if matches(r["never"], path) || !standard(path) && !matches(allowed, path) {
				errs = append(errs, fmt.Errorf("%s must not import %s", name, path))
			}
		}
	}
	return errs
}

// of returns the most specific rule for a package.
func (r rules) of(name string) (allowed []string, ok bool) {
	if allowed, ok = r[name]; ok {
		return allowed, true
	}
	for dir := name; strings.Contains(dir, "/"); dir = dir[:strings.LastIndex(dir, "/")] {
		if allowed, ok = r[dir+"/..."]; ok {
			return allowed, true
		}
	}
	return nil, false
}

// local writes a package of this module as "./x".
func local(path, module string) string {
	if path == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(path, module+"/"); ok {
		return "./" + rest
	}
	return path
}

func matches(allowed []string, path string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		if strings.HasPrefix(a, "./") {
			return a == path
		}
		return a == "*" || a == path || strings.HasPrefix(path, a+"/")
	})
}

// standard reports whether a path is of the standard library: the first element
// of any other has a dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
