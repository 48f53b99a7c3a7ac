package apiserver

import (
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// messageSchema is what the CRD of an Istio type says about one message, read from the type's own descriptor: Istio makes
// its CRDs from the same source.
type messageSchema struct {
	fields   map[string]fieldSchema
	required []string
	oneofs   [][]string
}

// fieldSchema describes one field; for a list or a map it describes what is in it.
type fieldSchema struct {
	kind     string // JSON type; "duration"; "any"
	message  *messageSchema
	enum     []string
	min, max float64
	list     bool
	dict     bool
}

func newSchema(m proto.Message) *messageSchema {
	return messageOf(m.ProtoReflect().Descriptor(), map[protoreflect.FullName]*messageSchema{})
}

func messageOf(d protoreflect.MessageDescriptor, known map[protoreflect.FullName]*messageSchema) *messageSchema {
	if m, ok := known[d.FullName()]; ok {
		return m
	}
	m := &messageSchema{fields: map[string]fieldSchema{}}
	known[d.FullName()] = m
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		m.fields[f.JSONName()] = fieldOf(f, known)
		if behaviors, ok := proto.GetExtension(f.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior); ok &&
			slices.Contains(behaviors, annotations.FieldBehavior_REQUIRED) {
			m.required = append(m.required, f.JSONName())
		}
	}
	for i := range d.Oneofs().Len() {
		var members []string
		for j := range d.Oneofs().Get(i).Fields().Len() {
			members = append(members, d.Oneofs().Get(i).Fields().Get(j).JSONName())
		}
		m.oneofs = append(m.oneofs, members)
	}
	return m
}

func fieldOf(f protoreflect.FieldDescriptor, known map[protoreflect.FullName]*messageSchema) fieldSchema {
	if f.IsMap() {
		of := fieldOf(f.MapValue(), known)
		of.dict = true
		return of
	}
	s := scalarOf(f.Kind())
	s.list = f.IsList()
	switch f.Kind() {
	case protoreflect.EnumKind:
		for i := range f.Enum().Values().Len() {
			s.enum = append(s.enum, string(f.Enum().Values().Get(i).Name()))
		}
	case protoreflect.MessageKind:
		s.kind, s.message = "object", nil
		switch name := f.Message().FullName(); name {
		case "google.protobuf.Duration":
			s.kind = "duration"
		case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.Any":
			s.kind = "any"
		default:
			if name.Parent() == "google.protobuf" { // the wrappers are written as what they wrap
				wrapped := scalarOf(f.Message().Fields().Get(0).Kind())
				wrapped.list = s.list
				return wrapped
			}
			s.message = messageOf(f.Message(), known)
		}
	}
	return s
}

func scalarOf(k protoreflect.Kind) fieldSchema {
	switch k {
	case protoreflect.BoolKind:
		return fieldSchema{kind: "boolean"}
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return fieldSchema{kind: "number"}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return fieldSchema{kind: "integer", max: math.MaxUint32}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return fieldSchema{kind: "integer", max: math.MaxUint64}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return fieldSchema{kind: "integer", min: math.MinInt32, max: math.MaxInt32}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return fieldSchema{kind: "integer", min: math.MinInt64, max: math.MaxInt64}
	}
	return fieldSchema{kind: "string"}
}

// findings is what a check found.
type findings struct {
	errs    field.ErrorList
	unknown []*field.Path
}

// check holds a document's spec against the schema.
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
		f, ok := m.fields[name]
		if !ok {
			found.unknown = append(found.unknown, path.Child(name))
			continue
		}
		f.check(value, path.Child(name), found)
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
	switch {
	case s.list:
		items, ok := value.([]any)
		if !ok {
			found.wrong(path, value, "array")
		}
		for i, item := range items {
			s.checkOne(item, path.Index(i), found)
		}
	case s.dict:
		members, ok := value.(map[string]any)
		if !ok {
			found.wrong(path, value, "object")
		}
		for name, member := range members {
			s.checkOne(member, path.Key(name), found)
		}
	default:
		s.checkOne(value, path, found)
	}
}

func (s fieldSchema) checkOne(value any, path *field.Path, found *findings) {
	switch {
	case s.kind == "any":
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

// checkValue looks at a value whose type is right.
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

// checkDuration does what the rule of the CRDs does: duration(self) >= duration('1ms').
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

// typeOf is the JSON type of a parsed value.
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
