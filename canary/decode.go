package canary

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// decoder decodes a tree into Go values by the names in their json tags, and
// collects every mistake. It knows no type but by reflection: a new field of a
// planDoc or a State needs nothing here.
type decoder struct {
	wrong mistakes // the first maxTold, in the order of the document
	more  int      // how many others there are
}

// field is a field of a struct, also one of an embedded struct.
type field struct {
	name  string
	index []int
}

// decode decodes n into what into points to, whose fields have their zero values.
func decode(n *node, into any) *decoder {
	d := new(decoder)
	d.value(n, reflect.ValueOf(into).Elem())
	return d
}

func (d *decoder) fail(n *node, format string, args ...any) {
	n.bad = true
	if len(d.wrong) == maxTold {
		d.more++
		return
	}
	d.wrong = append(d.wrong, mistake{node: n, text: clip(fmt.Sprintf(format, args...), maxText)})
}

func (d *decoder) value(n *node, v reflect.Value) {
	switch {
	case n.text[0] == 'n':
		d.fail(n, "found null, want %s; leave the field out for its zero value", want(v.Type()))
	case hasOwnForm(v):
		d.leaf(n, v)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem())
	case v.Kind() == reflect.Struct:
		d.object(n, v)
	case v.Kind() == reflect.Map:
		d.table(n, v)
	case v.Kind() == reflect.Slice:
		d.list(n, v)
	default:
		d.leaf(n, v)
	}
}

func hasOwnForm(v reflect.Value) bool {
	if !v.CanInterface() {
		return false // what the State embeds
	}
	switch v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler, json.Unmarshaler:
		return true
	}
	return v.Type() == reflect.TypeFor[[]byte]()
}

// leaf decodes what has no parts that are known here.
func (d *decoder) leaf(n *node, v reflect.Value) {
	into := v.Addr().Interface()
	if _, ok := into.(encoding.TextUnmarshaler); ok && n.text[0] != '"' {
		d.wrongType(n, v.Type())
		return
	}
	err := json.Unmarshal(n.text, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		d.wrongType(n, v.Type())
	case err != nil:
		d.fail(n, "%s", strings.TrimPrefix(err.Error(), "canary: "))
	}
}

func (d *decoder) object(n *node, v reflect.Value) {
	if n.text[0] != '{' {
		d.wrongType(n, v.Type())
		return
	}
	fields := fieldsOf(v.Type())
	seen := make([]bool, len(fields))
	for _, part := range n.parts {
		i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, part.name) })
		if i < 0 {
			d.unknown(part, fields)
			continue
		}
		if seen[i] {
			d.fail(part, "the field stands twice")
		}
		seen[i] = true
		d.value(part, v.FieldByIndex(fields[i].index))
	}
}

// table decodes an object whose fields may have any name.
func (d *decoder) table(n *node, v reflect.Value) {
	if n.text[0] != '{' || v.Type().Key().Kind() != reflect.String {
		d.wrongType(n, v.Type())
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, part := range n.parts {
		key := reflect.ValueOf(part.name).Convert(v.Type().Key())
		if v.MapIndex(key).IsValid() {
			d.fail(part, "the field stands twice")
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(part, value)
		v.SetMapIndex(key, value)
	}
}

func (d *decoder) list(n *node, v reflect.Value) {
	switch {
	case n.text[0] != '[':
		d.wrongType(n, v.Type())
		return
	case len(n.parts) > maxSteps:
		d.fail(n, "%d entries, at most %d are allowed", len(n.parts), maxSteps)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.parts), len(n.parts)))
	for i, part := range n.parts {
		d.value(part, v.Index(i))
	}
}

// known holds the fields of each struct type, by reflect.Type.
var known sync.Map

func fieldsOf(t reflect.Type) []field {
	if all, ok := known.Load(t); ok {
		return all.([]field)
	}
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "": // its fields stand beside the others
			for _, part := range fieldsOf(f.Type) {
				all = append(all, field{part.name, append([]int{i}, part.index...)})
			}
		case name != "-" && (f.IsExported() || f.Anonymous):
			all = append(all, field{cmp.Or(name, f.Name), f.Index})
		}
	}
	known.Store(t, all)
	return all
}

// unknown says which of the fields was meant.
func (d *decoder) unknown(n *node, fields []field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	near := nearest(n.name, names)
	if near == "" {
		d.fail(n, "there is no such field; want one of %s", strings.Join(names, ", "))
		return
	}
	d.fail(n, "there is no such field; did you mean %s?", near)
	n.meant = near
}

// wrongType says of a value of the wrong type what would be right in its place.
func (d *decoder) wrongType(n *node, t reflect.Type) {
	found := clip(string(n.text), maxShown)
	switch n.text[0] {
	case '{':
		found = "an object"
	case '[':
		found = "a list"
	case '"':
		var s string
		_ = json.Unmarshal(n.text, &s) // it has been read before
		found = strconv.Quote(clip(s, maxShown))
	}
	d.fail(n, "found %s, want %s", found, want(t))
}

func want(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Weight]():
		return `a percentage in quotes or with its sign, such as "12.5%"`
	case reflect.TypeFor[duration]():
		return "a duration such as 1m30s"
	}
	switch kind := t.Kind(); {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), kind == reflect.String:
		return "a string in quotes"
	case kind == reflect.Bool:
		return "true or false"
	case kind == reflect.Slice:
		return "a list"
	case reflect.Int <= kind && kind <= reflect.Uint64:
		return fmt.Sprintf("a whole number of at most %d bits", t.Bits())
	case kind == reflect.Float32, kind == reflect.Float64:
		return "a number"
	case kind == reflect.Pointer:
		return want(t.Elem())
	}
	return "an object"
}
