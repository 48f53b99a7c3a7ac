package routing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/canary"
)

// Whatever field that Istio's types have is changed in a derived rule, or in the rule
// that it is derived from, Read sees it: none was forgotten, and none will be when the
// types get more.
func TestAChangeOfAnyFieldOfADerivedRuleIsSeen(t *testing.T) {
	h := renderer(t, ofB)
	on := canary.Traffic{Canary: canary.Percent, Mirror: canary.Full, HeaderRoutes: true}
	for name, more := range map[string]string{
		"mirrors in a list": `mirrors: [{destination: {host: audit}, percentage: {value: 3}}]`,
		"no mirrors":        `timeout: 3s`,
	} {
		o := fromYAML(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - name: b
    `+more+`
    match:
    - uri: {prefix: /b}
      scheme: {exact: http}
      method: {regex: "GET|POST"}
      authority: {exact: a}
      headers: {beta: {exact: "1"}}
      withoutHeaders: {x: {exact: "1"}}
      queryParams: {q: {exact: "1"}}
      sourceLabels: {app: a}
      gateways: [mesh]
    retries: {attempts: 2, perTryTimeout: 1s}
    fault: {abort: {httpStatus: 500, percentage: {value: 1}}}
    corsPolicy: {allowOrigins: [{exact: a}]}
    rewrite: {uri: /}
    headers: {request: {set: {a: b}, remove: [c]}, response: {add: {d: e}}}
    route:
    - {destination: {host: reviews, subset: v1, port: {number: 80}}, headers: {request: {set: {x: z}}}}
`).render(t, h, on)
		vs := o.typed(t)
		require.Len(t, vs.Spec.Http, 4)
		looked := 0
		for i, rule := range vs.Spec.Http {
			var paths []path
			fields(rule.ProtoReflect(), nil, func(p path) { paths = append(paths, p) })
			for _, p := range paths {
				changed := proto.Clone(rule).(*api.HTTPRoute)
				p.change(t, changed.ProtoReflect())
				meaningless := rule.Name == "b" && strings.HasPrefix(p.String(), ".mirror_perc") // how much of no mirror
				if meaningless || proto.Equal(changed, rule) {
					continue
				}
				other := vs.DeepCopy()
				other.Spec.Http[i] = changed
				got, err := h.Read(other, on)
				require.True(t, err != nil || got != on, "%s: %s of %s: %v", name, p, rule.Name, changed)
				looked++
			}
		}
		require.Greater(t, looked, 200)
		t.Logf("%s: %d changes", name, looked)
	}
}

// path leads to a field of a message in a tree of messages.
type path []step

// step is a field, and which of its elements, if it has several.
type step struct {
	field protoreflect.FieldDescriptor
	index int
	key   protoreflect.MapKey
}

func (p path) String() (text string) {
	for _, s := range p {
		text += fmt.Sprint(".", s.field.Name())
	}
	return text
}

// fields yields every field of m and of the messages that are set in it.
func fields(m protoreflect.Message, at path, yield func(path)) {
	all := m.Descriptor().Fields()
	for i := range all.Len() {
		yield(append(at[:len(at):len(at)], step{field: all.Get(i)}))
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		down := func(s step, v protoreflect.Value) { fields(v.Message(), append(at[:len(at):len(at)], s), yield) }
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool { down(step{field: f, key: k}, v); return true })
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				down(step{field: f, index: i}, v.List().Get(i))
			}
		case !f.IsMap() && !f.IsList() && f.Message() != nil:
			down(step{field: f}, v)
		}
		return true
	})
}

// change changes the field.
func (p path) change(t tb, m protoreflect.Message) {
	for _, s := range p[:len(p)-1] {
		switch v := m.Mutable(s.field); {
		case s.field.IsMap():
			m = v.Map().Mutable(s.key).Message()
		case s.field.IsList():
			m = v.List().Get(s.index).Message()
		default:
			m = v.Message()
		}
	}
	alter(t, m, p[len(p)-1].field)
}

// alter gives a field of m another value.
func alter(t tb, m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsMap():
		value := m.Mutable(f).Map().NewValue()
		if f.MapValue().Message() == nil {
			value = protoreflect.ValueOfString("novel")
		}
		m.Mutable(f).Map().Set(protoreflect.ValueOfString("novel").MapKey(), value)
	case f.IsList() && f.Message() == nil:
		m.Mutable(f).List().Append(protoreflect.ValueOfString("novel"))
	case f.IsList():
		m.Mutable(f).List().AppendMutable()
	case f.Message() != nil && m.Has(f):
		m.Clear(f)
	case f.Message() != nil:
		inner := m.Mutable(f).Message()
		if all := inner.Descriptor().Fields(); all.Len() > 0 && all.Get(0).Message() != inner.Descriptor() {
			alter(t, inner, all.Get(0))
		}
	default:
		m.Set(f, other(t, m.Get(f), f))
	}
}

// other is another value of a scalar.
func other(t tb, v protoreflect.Value, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(v.String() + "novel")
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!v.Bool())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(v.Enum() + 1)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(v.Float() + 1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(v.Int()) + 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(v.Int() + 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(v.Uint()) + 1)
	}
	require.Fail(t, "no other value is known", "of a %v", f.Kind())
	return v
}
