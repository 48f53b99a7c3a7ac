package canary

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readState decodes a State in exactly the form in which MarshalJSON writes it,
// several times as fast as encoding/json: every driver does it in every turn.
// Anything else is not ok, also good JSON with spaces or in another order.
func readState(data []byte) (_ State, ok bool) {
	r := reader{data: data, text: string(data)}
	r.need(stateBegin)
	s := new(State)
	r.fields(reflect.ValueOf(s).Elem())
	return *s, !r.bad && r.at == len(data)
}

// reader reads what encoding/json writes for the types of a State, but for
// values that omitzero leaves out. It takes nothing any more once it is bad.
type reader struct {
	data []byte
	text string // data again; the strings that are read are parts of it
	at   int
	bad  bool
}

// take reads the token if it comes next.
func (r *reader) take(token string) bool {
	ok := !r.bad && strings.HasPrefix(r.text[r.at:], token)
	if ok {
		r.at += len(token)
	}
	return ok
}

func (r *reader) need(token string) { r.bad = !r.take(token) }

// beforeFields holds what stands before the fields of each struct in a State.
var beforeFields = func() map[reflect.Type][]string {
	all := map[reflect.Type][]string{}
	for _, v := range []any{
		State{}, Rollout{}, Pin{}, Place{}, Traffic{}, retreat{}, resumption{},
		clock{}, orders{}, Command{}, evidence{}, History{}, Transition{},
	} {
		t := reflect.TypeOf(v)
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			all[t] = append(all[t], `,"`+name+`":`)
		}
	}
	return all
}()

// fields reads the fields of a struct that are there, and the bracket after it.
func (r *reader) fields(v reflect.Value) {
	for i, before := range beforeFields[v.Type()] {
		if r.at > 0 && r.text[r.at-1] == '{' {
			before = before[1:] // no comma
		}
		if r.take(before) {
			r.value(v.Field(i))
		}
	}
	r.need("}")
}

func (r *reader) value(v reflect.Value) {
	kind := v.Kind()
	var p any
	if v.CanInterface() { // not what the State embeds
		p = v.Addr().Interface()
	}
	_, isText := p.(encoding.TextUnmarshaler)
	switch {
	case isText:
		r.string(p)
	case kind == reflect.String:
		var text string
		r.string(&text)
		v.SetString(text)
	case kind == reflect.Bool:
		r.need("true")
		v.SetBool(true)
	case kind == reflect.Struct:
		r.need("{")
		r.fields(v)
	case kind == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		r.string(p)
	case kind == reflect.Slice:
		r.need("[")
		for more := !r.bad; more; more = r.take(",") {
			v.Grow(1)
			v.SetLen(v.Len() + 1)
			r.value(v.Index(v.Len() - 1))
		}
		r.need("]")
	default:
		r.integer(v)
	}
}

// integer reads a number above zero.
func (r *reader) integer(v reflect.Value) {
	rest := r.text[r.at:]
	digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	n, err := strconv.ParseInt(digits, 10, v.Type().Bits())
	r.at += len(digits)
	r.bad = err != nil || digits[0] == '0'
	v.SetInt(n)
}

// toQuote goes on to the quote that ends a string, or to the end, and reports
// whether all before it stands for itself.
func (r *reader) toQuote() (plain bool) {
	plain = true
	for ; r.at < len(r.text) && r.text[r.at] != '"'; r.at++ {
		if c := r.text[r.at]; c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
		}
		if r.text[r.at] == '\\' {
			r.at++
		}
	}
	r.at = min(r.at, len(r.text)) // an escape may have no end
	return plain
}

// string reads into a *string, a *[]byte or an encoding.TextUnmarshaler.
func (r *reader) string(into any) {
	r.need(`"`)
	begin := r.at
	plain := r.toQuote()
	end := r.at
	if r.need(`"`); r.bad {
		return
	}
	if !plain {
		r.bad = json.Unmarshal(r.data[begin-1:r.at], into) != nil
		return
	}
	switch into := into.(type) {
	case *string:
		*into = r.text[begin:end]
	case *[]byte:
		var err error
		*into, err = base64.StdEncoding.Strict().DecodeString(r.text[begin:end])
		r.bad = err != nil
	case encoding.TextUnmarshaler:
		r.bad = into.UnmarshalText(r.data[begin:end]) != nil
	}
}
