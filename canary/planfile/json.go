package planfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	maxDepth = 16
	// maxTags is the greatest number of %TAG directives. The parser compares each of them
	// with each other. No plan needs one.
	maxTags = 10
)

// toJSON converts a YAML document to JSON in which each value is on the same line as in
// the YAML. So the lines in the errors of package canary are correct for the YAML. toJSON
// leaves all checks to package canary: a duplicate field of the YAML is duplicate in the
// JSON. An empty document becomes an empty one.
func toJSON(data []byte) ([]byte, error) {
	if !utf8.Valid(data) { // UTF-16 is not valid UTF-8
		return nil, errors.New("the text is not UTF-8")
	}
	if bytes.Count(data, []byte("%TAG")) > maxTags {
		return nil, fmt.Errorf("too many %%TAG directives; at most %d are allowed", maxTags)
	}
	n, err := parse(data)
	if n == nil || err != nil {
		return nil, err
	}
	w := writer{line: 1}
	err = w.value(n, 0)
	return w.out.Bytes(), err
}

// parse returns the only document in data; nil if there is none.
func parse(data []byte) (*yaml.Node, error) {
	var document, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&document)
	if err == nil {
		if err = d.Decode(&second); err == nil {
			return nil, fmt.Errorf("line %d: a second document begins; want one plan", second.Line)
		}
	}
	switch {
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%.300s", strings.TrimPrefix(err.Error(), "yaml: "))
	case document.Kind == 0:
		return nil, nil
	}
	return document.Content[0], nil
}

type writer struct {
	out   bytes.Buffer
	line  int
	spent int  // number of visits to values
	comma bool // before the next field
}

// reach advances to the line of n. The value of an alias has an earlier line than the
// alias, and is written on the line of the alias.
func (w *writer) reach(n *yaml.Node) {
	for ; w.line < n.Line; w.line++ {
		w.out.WriteByte('\n')
	}
}

// enter checks the limits before a value is written, and resolves an alias. Aliases may
// stand for aliases, so a short document can be very long or endless.
func (w *writer) enter(n *yaml.Node, depth int) (*yaml.Node, error) {
	w.reach(n)
	w.spent++
	if w.spent > maxSize || w.out.Len() > maxSize {
		return nil, fmt.Errorf("line %d: more than %d bytes when aliases are expanded", w.line, maxSize)
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode && depth == maxDepth {
		return nil, fmt.Errorf("line %d: lists and maps are nested more than %d levels deep", w.line, maxDepth)
	}
	return n, nil
}

func (w *writer) value(n *yaml.Node, depth int) error {
	n, err := w.enter(n, depth)
	if err != nil {
		return err
	}
	switch tag := n.ShortTag(); {
	case n.Kind == yaml.ScalarNode:
		return w.scalar(n)
	case n.Kind == yaml.MappingNode && tag == "!!map":
		return w.mapping(n, depth)
	case n.Kind == yaml.SequenceNode && tag == "!!seq":
		return w.list(n, depth)
	default:
		return w.unknownTag(n)
	}
}

func (w *writer) list(n *yaml.Node, depth int) error {
	w.out.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			w.out.WriteByte(',')
		}
		if err := w.value(item, depth+1); err != nil {
			return err
		}
	}
	w.out.WriteByte(']')
	return nil
}

func (w *writer) unknownTag(n *yaml.Node) error {
	return fmt.Errorf("line %d: the tag %.40q is not allowed in a plan; remove it", w.line, n.ShortTag())
}

func (w *writer) scalar(n *yaml.Node) error {
	var v any
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		v = n.Value
	case "!!null", "!!bool", "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			w.out.WriteString(n.Value)
			return nil
		}
		if err := n.Decode(&v); err != nil {
			return fmt.Errorf("line %d: %.40q is not a valid %s", w.line, n.Value, n.ShortTag())
		}
	default:
		return w.unknownTag(n)
	}
	text, err := json.Marshal(v)
	if err != nil { // .inf and .nan, which no field of a plan accepts
		text, err = json.Marshal(n.Value)
	}
	w.out.Write(text)
	return err
}
