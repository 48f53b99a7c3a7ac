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
	// maxTags bounds the directives %TAG, which the parser compares each with
	// each. No plan needs one.
	maxTags = 10
)

// toJSON writes a document of YAML as JSON in which each value has the line that it
// has in the YAML, so that the lines in the errors of package canary are those of
// the YAML. It checks nothing that package canary checks: a field that stands twice
// does so in the JSON as well. An empty document becomes an empty one.
func toJSON(data []byte) ([]byte, error) {
	if !utf8.Valid(data) { // which UTF-16 is not
		return nil, errors.New("the text is not UTF-8")
	}
	if bytes.Count(data, []byte("%TAG")) > maxTags {
		return nil, errors.New("too many %TAG directives")
	}
	n, err := parse(data)
	if n == nil || err != nil {
		return nil, err
	}
	w := writer{line: 1}
	err = w.value(n, 0)
	return w.out.Bytes(), err
}

// parse returns the one document in data; nil if there is none.
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
	spent int  // values, each time that they are looked at
	comma bool // before the next field
}

// reach begins the line of n. What an alias stands for has an earlier line than the
// alias, and stays in that of the alias.
func (w *writer) reach(n *yaml.Node) {
	for ; w.line < n.Line; w.line++ {
		w.out.WriteByte('\n')
	}
}

// enter accounts for a value before it is written. Aliases may stand for aliases, so
// a short document can be a very long or an endless one.
func (w *writer) enter(n *yaml.Node, depth int) (*yaml.Node, error) {
	w.reach(n)
	w.spent++
	if w.spent > maxSize || w.out.Len() > maxSize {
		return nil, fmt.Errorf("line %d: more than %d bytes, with what the aliases stand for", w.line, maxSize)
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode && depth == maxDepth {
		return nil, fmt.Errorf("line %d: more than %d levels of lists and maps", w.line, maxDepth)
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
	return fmt.Errorf("line %d: the tag %.40q means nothing in a plan; leave it out", w.line, n.ShortTag())
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
			return fmt.Errorf("line %d: %.40q is not of the type %s", w.line, n.Value, n.ShortTag())
		}
	default:
		return w.unknownTag(n)
	}
	text, err := json.Marshal(v)
	if err != nil { // .inf and .nan, which no field of a plan can be
		text, err = json.Marshal(n.Value)
	}
	w.out.Write(text)
	return err
}
