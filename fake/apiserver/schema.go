package apiserver

import (
	"math"
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// messageSchema is what the CRD of an Istio type says about one message. It is read from
// the type's descriptor, because Istio generates its CRDs from the same source.
type messageSchema struct {
	fields   map[string]fieldSchema
	required []string
	oneofs   [][]string
}

// fieldSchema describes one field, or the elements of a list or a map.
type fieldSchema struct {
	kind     string // JSON type; "duration"; "any"
	message  *messageSchema
	enum     []string
	min, max float64
	list     bool
	dict     bool
	nullable bool
}

// looseDurations are the fields for which the CRDs accept any text as a duration.
var looseDurations = map[protoreflect.FullName]bool{
	"istio.networking.v1alpha3.LoadBalancerSettings.ConsistentHashLB.HTTPCookie.ttl": true,
	"istio.networking.v1alpha3.ConnectionPoolSettings.TCPSettings.idle_timeout":      true,
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
		if f.Name() == "mirror_percent" { // the one field that the CRDs have by this name too
			m.fields["mirror_percent"] = m.fields[f.JSONName()]
		}
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
			if looseDurations[f.FullName()] {
				s.kind = "string"
			}
		case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.Any":
			s.kind = "any"
		default:
			if name.Parent() == "google.protobuf" { // the wrappers are written as what they wrap
				wrapped := scalarOf(f.Message().Fields().Get(0).Kind())
				wrapped.list, wrapped.nullable = s.list, true
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
