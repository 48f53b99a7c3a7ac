package routing

import (
	"strconv"
	"strings"
)

// Patch is a JSON patch (RFC 6902) under construction. The zero value changes nothing. A
// Patch is not safe for concurrent use.
type Patch struct {
	ops []byte // comma separated
	// annotations says what the operations do to the map of annotations.
	annotations mapFate
}

type mapFate uint8

const (
	untouched mapFate = iota
	present
	removed
)

// Empty reports whether p changes nothing.
func (p *Patch) Empty() bool { return len(p.ops) == 0 }

// Bytes returns p as a JSON document: an array of operations.
func (p *Patch) Bytes() []byte {
	b := make([]byte, 0, len(p.ops)+2)
	b = append(b, '[')
	b = append(b, p.ops...)
	return append(b, ']')
}

// String returns p as a JSON document.
func (p *Patch) String() string { return string(p.Bytes()) }

// Append appends the operations of q. It does not change q.
func (p *Patch) Append(q Patch) {
	if q.Empty() {
		return
	}
	if !p.Empty() {
		p.ops = append(p.ops, ',')
	}
	p.ops = append(p.ops, q.ops...)
	if q.annotations != untouched {
		p.annotations = q.annotations
	}
}

// Add appends an operation that sets the member at path, or inserts before the array
// index at path. The value is a JSON document. The path is a JSON pointer (RFC 6901),
// already escaped.
func (p *Patch) Add(path string, value []byte) {
	p.begin("add", path)
	p.ops = append(append(p.ops, `","value":`...), value...)
	p.ops = append(p.ops, '}')
}

// Remove appends an operation that removes the value at path. The API server refuses the
// patch if there is no such value.
func (p *Patch) Remove(path string) {
	p.begin("remove", path)
	p.ops = append(p.ops, `"}`...)
}

// Clear appends operations that remove the member at path, if there is one.
func (p *Patch) Clear(path string) {
	p.Add(path, []byte("0"))
	p.Remove(path)
}

// Copy appends an operation that copies the value at from to path. Like Add, it creates a
// value or replaces it.
func (p *Patch) Copy(from, path string) {
	p.begin("copy", path)
	p.ops = append(append(p.ops, `","from":"`...), from...)
	p.ops = append(p.ops, `"}`...)
}

func (p *Patch) begin(op, path string) {
	if p.ops == nil {
		p.ops = make([]byte, 0, 1024)
	}
	if !p.Empty() {
		p.ops = append(p.ops, ',')
	}
	p.ops = append(append(p.ops, `{"op":"`...), op...)
	p.ops = append(append(p.ops, `","path":"`...), path...)
}

func (p *Patch) addInt(path string, n int64) {
	var digits [20]byte
	p.Add(path, strconv.AppendInt(digits[:0], n, 10))
}

// guard makes the patch fail with 409 Conflict if the object no longer has this version.
// A failing "test" operation would be answered with 422, as failed validation is.
func (p *Patch) guard(version string) {
	p.begin("replace", "/metadata/resourceVersion")
	p.ops = appendQuoted(append(p.ops, `","value":`...), version)
	p.ops = append(p.ops, '}')
}

// annotate sets an annotation. The object has the annotations have.
func (p *Patch) annotate(have map[string]string, key, value string) {
	if p.annotations == removed || p.annotations == untouched && len(have) == 0 {
		p.Add("/metadata/annotations", []byte("{}"))
	}
	p.annotations = present
	p.begin("add", annotationPath(key))
	p.ops = appendQuoted(append(p.ops, `","value":`...), value)
	p.ops = append(p.ops, '}')
}

// unannotate removes an annotation if it exists, and the map of annotations if it would
// be empty.
func (p *Patch) unannotate(have map[string]string, key string) {
	if _, ok := have[key]; !ok {
		return
	}
	if len(have) == 1 && p.annotations == untouched {
		p.annotations = removed
		p.Remove("/metadata/annotations")
		return
	}
	p.Remove(annotationPath(key))
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func annotationPath(key string) string {
	return "/metadata/annotations/" + escapePointer.Replace(key)
}

func rulePath(rule int, member string) string {
	return "/spec/http/" + strconv.Itoa(rule) + member
}

func routePath(rule, route int, member string) string {
	return "/spec/http/" + strconv.Itoa(rule) + "/route/" + strconv.Itoa(route) + member
}

// appendQuoted appends s as a JSON string. Invalid UTF-8 is replaced.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	s = strings.ToValidUTF8(s, "\uFFFD")
	b = append(b, '"')
	begin := 0 // of the part that is not appended yet
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[begin:i]...)
		begin = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	b = append(b, s[begin:]...)
	return append(b, '"')
}
