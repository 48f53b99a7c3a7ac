package apiserver

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// trim drops the nulls that the schema ignores. It returns the fields of a document that
// the schema of its spec does not know. With prune, it drops these too.
func (m *messageSchema) trim(tree map[string]any, prune bool) (unknown []string) {
	whole := &messageSchema{fields: map[string]fieldSchema{"spec": {message: m}}}
	for _, name := range []string{"apiVersion", "kind", "metadata", "status"} {
		whole.fields[name] = fieldSchema{kind: "any"}
	}
	whole.trimIn(tree, nil, func(tree map[string]any, name string, path *field.Path) {
		unknown = append(unknown, fmt.Sprintf("unknown field %q", path))
		if prune {
			delete(tree, name)
		}
	})
	return unknown
}

func (m *messageSchema) trimIn(value any, path *field.Path, unknown func(tree map[string]any, name string, path *field.Path)) {
	tree, ok := value.(map[string]any)
	if !ok || m == nil {
		return
	}
	for name, value := range tree {
		f, ok := m.fields[name]
		switch {
		case !ok:
			unknown(tree, name, path.Child(name))
		case value == nil && !f.nullable:
			delete(tree, name)
		default:
			if dict, ok := value.(map[string]any); ok && f.dict {
				maps.DeleteFunc(dict, func(_ string, item any) bool { return item == nil })
			}
			for at, item := range f.items(value, path.Child(name)) {
				f.message.trimIn(item, at, unknown)
			}
		}
	}
}

// findings are the mistakes that a check found.
type findings struct{ errs field.ErrorList }

// errors returns where a document's spec does not have the structure of the schema.
func (m *messageSchema) errors(spec any, path *field.Path) field.ErrorList {
	var found findings
	m.check(spec, path, &found)
	return found.errs
}

// check compares a document's spec with the schema.
func (m *messageSchema) check(spec any, path *field.Path, found *findings) {
	tree, ok := spec.(map[string]any)
	if !ok {
		found.wrong(path, spec, "object")
		return
	}
	for _, name := range m.required {
		if _, ok := tree[name]; !ok {
			found.errs = append(found.errs, field.Required(path.Child(name), ""))
		}
	}
	for _, members := range m.oneofs {
		if given := count(tree, members); given > 1 {
			found.errs = append(found.errs, field.Invalid(path, "",
				fmt.Sprintf("%s in body must validate one and only one schema (oneOf). Found %d valid alternatives", path, given)))
		}
	}
	for name, value := range tree {
		if f, ok := m.fields[name]; ok {
			f.check(value, path.Child(name), found)
		}
	}
}

func count(tree map[string]any, names []string) (n int) {
	for _, name := range names {
		if _, ok := tree[name]; ok {
			n++
		}
	}
	return n
}

func (s fieldSchema) check(value any, path *field.Path, found *findings) {
	if want := s.container(); want != "" && typeOf(value) != want {
		found.wrong(path, value, want)
		return
	}
	for at, item := range s.items(value, path) {
		s.checkOne(item, at, found)
	}
}

// container returns the JSON type of a list or a map; "" for a single value.
func (s fieldSchema) container() string {
	switch {
	case s.list:
		return "array"
	case s.dict:
		return "object"
	}
	return ""
}

// items yields the elements of a list or a map, or the value itself.
func (s fieldSchema) items(value any, path *field.Path) iter.Seq2[*field.Path, any] {
	return func(yield func(*field.Path, any) bool) {
		list, _ := value.([]any)
		dict, _ := value.(map[string]any)
		switch {
		case s.list:
			for i, item := range list {
				if !yield(path.Index(i), item) {
					return
				}
			}
		case s.dict:
			for name, item := range dict {
				if !yield(path.Key(name), item) {
					return
				}
			}
		default:
			yield(path, value)
		}
	}
}

func (s fieldSchema) checkOne(value any, path *field.Path, found *findings) {
	if n, ok := whole(value); ok {
		value = n
	}
	switch {
	case s.kind == "any", s.nullable && value == nil:
	case s.message != nil:
		s.message.check(value, path, found)
	case s.kind == "duration":
		checkDuration(value, path, found)
	case typeOf(value) != s.kind && (s.kind != "number" || typeOf(value) != "integer"):
		found.wrong(path, value, s.kind)
	default:
		s.checkValue(value, path, found)
	}
}

// checkValue checks a value that has the right type.
func (s fieldSchema) checkValue(value any, path *field.Path, found *findings) {
	switch v := value.(type) {
	case int64:
		if n := float64(v); s.kind == "integer" && (n < s.min || n > s.max) {
			found.errs = append(found.errs, field.Invalid(path, v, fmt.Sprintf("should be in the range %.0f to %.0f", s.min, s.max)))
		}
	case string:
		if s.enum != nil && !slices.Contains(s.enum, v) {
			found.errs = append(found.errs, field.NotSupported(path, v, s.enum))
		}
	}
}

// checkDuration follows the rule of the CRDs: duration(self) >= duration('1ms').
func checkDuration(value any, path *field.Path, found *findings) {
	given, ok := value.(string)
	if !ok {
		found.wrong(path, value, "string")
		return
	}
	if d, err := time.ParseDuration(given); err != nil || d < time.Millisecond {
		found.errs = append(found.errs, field.Invalid(path, value, "must be a valid duration greater than 1ms"))
	}
}

func (f *findings) wrong(path *field.Path, value any, want string) {
	f.errs = append(f.errs, field.Invalid(path, typeOf(value),
		fmt.Sprintf("%s in body must be of type %s: %q", path, want, typeOf(value))))
}

// typeOf returns the JSON type of a parsed value.
func typeOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		return "number"
	}
	return "null"
}
