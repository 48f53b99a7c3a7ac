package canary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxPlan bounds an encoded Plan, in bytes.
	maxPlan = 1 << 20
	// maxDepth bounds how deep an encoded Plan or State is nested.
	maxDepth = 16
)

// node is a value in a JSON document.
type node struct {
	up    *node  // nil for the document itself
	name  string // in an object
	item  int    // in a list, from 1
	at    int    // where in the document it is, or the name before it
	text  []byte // without space around it
	parts []*node

	bad   bool   // there is a mistake in it, told already
	meant string // the field that the name was taken for, if there is none of the name
}

var errEmpty = errors.New("the document is empty")

// parse reads a document. It is linear in the length of the data.
func parse(data []byte) (*node, error) {
	p := parser{json.NewDecoder(bytes.NewReader(data)), data}
	p.d.UseNumber() // how large it may be depends on its place
	root := new(node)
	err := p.value(root, 0)
	if err == nil {
		_, end := p.d.Token()
		switch {
		case end != io.EOF:
			err = errors.New("something follows the end of the document")
		case string(root.text) == "null":
			return nil, errEmpty
		default:
			return root, nil
		}
	}
	rest := bytes.TrimLeft(data[p.d.InputOffset():], " \t\r\n:,")
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errEmpty
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the document ends too early")
	}
	return nil, fmt.Errorf("%s%w", line(data, len(data)-len(rest)), err)
}

type parser struct {
	d    *json.Decoder
	data []byte
}

func (p *parser) value(n *node, depth int) error {
	begin := p.d.InputOffset()
	token, err := p.d.Token()
	if err != nil {
		return err
	}
	if n.at == 0 {
		n.at = int(p.d.InputOffset())
	}
	if open, ok := token.(json.Delim); ok {
		if depth == maxDepth {
			return fmt.Errorf("more than %d levels of lists and objects", maxDepth)
		}
		if err := p.parts(n, open == '{', depth+1); err != nil {
			return err
		}
	}
	n.text = bytes.TrimLeft(p.data[begin:p.d.InputOffset()], " \t\r\n:,")
	return nil
}

// parts reads the rest of an object or list.
func (p *parser) parts(n *node, object bool, depth int) error {
	for p.d.More() {
		part := &node{up: n}
		if object {
			name, err := p.d.Token()
			if err != nil {
				return err
			}
			part.name = name.(string)
			part.at = int(p.d.InputOffset())
		} else {
			part.item = len(n.parts) + 1
		}
		if err := p.value(part, depth); err != nil {
			return err
		}
		n.parts = append(n.parts, part)
	}
	_, err := p.d.Token() // the closing bracket
	return err
}

// place is the path to n, such as steps 3 "shop 20%" hold.
func (n *node) place() string {
	switch {
	case n.up == nil:
		return ""
	case n.item == 0:
		return strings.TrimSpace(n.up.place() + " " + plain(n.name))
	}
	var name string
	for _, part := range n.parts {
		if part.name == "name" && json.Unmarshal(part.text, &name) == nil {
			break
		}
	}
	return n.up.place() + " " + numbered(n.item, name)
}

// plain is a field's name as it can stand in a message.
func plain(name string) string {
	quoted := strconv.Quote(shorten(name, maxShown))
	if quoted == `""` || strings.Contains(name, " ") {
		return quoted
	}
	return quoted[1 : len(quoted)-1]
}

// shorten cuts a text of any kind.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len(ellipsis)], "") + ellipsis
}

// numbered is how a place names an item of a list, from 1.
func numbered(item int, name string) string {
	if name == "" {
		return strconv.Itoa(item)
	}
	return fmt.Sprintf("%d %q", item, clip(name, maxName))
}

// find returns the node at a place, or the nearest around it, and whether what is
// there may come of a mistake told already.
func (n *node) find(p place) (found *node, bad bool) {
	switch {
	case n.bad:
		return n, true
	case len(p) == 0:
		return n, n.anyBad()
	}
	word, _, _ := strings.Cut(p[0], " ")
	if i, err := strconv.Atoi(word); err == nil && i <= len(n.parts) {
		return n.parts[i-1].find(p[1:])
	}
	for _, part := range slices.Backward(n.parts) { // the last one of the name counts
		if strings.EqualFold(part.name, word) {
			return part.find(p[1:])
		}
		bad = bad || part.meant == word
	}
	return n, bad
}

func (n *node) anyBad() bool {
	return n.bad || slices.ContainsFunc(n.parts, (*node).anyBad)
}
