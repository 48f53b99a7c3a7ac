package main

import (
	"errors"
	"testing"
)

const module = "example.com/m"

func TestEachPackageIsHeldAgainstItsLine(t *testing.T) {
	r := parse(`
# a comment
./a
./b      ./a k8s.io/api # and another
./c/...  *
never    testing example.com/assert
`)
	for _, c := range []struct {
		from, imports, want string
	}{
		{"a", "fmt", ""},
		{"a", "encoding/json", ""},
		{"a", module + "/b", "./a must not import ./b"},
		{"a", "k8s.io/api", "./a must not import k8s.io/api"},
		{"b", module + "/a", ""},
		{"b", module + "/a/inner", "./b must not import ./a/inner"},
		{"b", "k8s.io/api/apps/v1", ""},
		{"b", "k8s.io/apimachinery", "./b must not import k8s.io/apimachinery"},
		{"b", "testing", "./b must not import testing"},
		{"c", "k8s.io/client-go/rest", ""},
		{"c/deep/er", "k8s.io/client-go/rest", ""},
		{"c", "example.com/assert/require", "./c must not import example.com/assert/require"},
		{"d", "fmt", "./d has no line in the list"},
	} {
		p := pkg{ImportPath: module + "/" + c.from, Imports: []string{c.imports}}
		p.Module.Path = module
		got := ""
		if err := errors.Join(r.check([]pkg{p})...); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s imports %s: got %q, want %q", c.from, c.imports, got, c.want)
		}
	}
}
