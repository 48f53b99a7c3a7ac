package planfile

import (
	"encoding/json"
	"fmt"
	"iter"

	"go.yaml.in/yaml/v3"
)

func (w *writer) mapping(n *yaml.Node, depth int) error {
	own := map[string]bool{}
	for key := range pairs(n) {
		own[key.Value] = true
	}
	w.out.WriteByte('{')
	w.comma = false
	for key, value := range pairs(n) {
		var err error
		if isMerge(key) {
			err = w.merge(value, own, depth+1)
		} else {
			err = w.field(key, value, depth)
		}
		if err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w *writer) field(key, value *yaml.Node, depth int) error {
	if _, err := w.enter(key, depth); err != nil {
		return err
	}
	if key.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a list or map cannot be the name of a field", w.line)
	}
	name, err := json.Marshal(key.Value)
	if err != nil {
		return err
	}
	if w.comma {
		w.out.WriteByte(',')
	}
	w.out.Write(name)
	w.out.WriteByte(':')
	err = w.value(value, depth+1)
	w.comma = true
	return err
}

// merge writes the fields of n, a map or a list of maps, except for fields that exist
// already. A map's own fields take precedence over merged ones, and an earlier map of a
// list over a later one.
func (w *writer) merge(n *yaml.Node, there map[string]bool, depth int) error {
	n, err := w.enter(n, depth)
	if err != nil {
		return err
	}
	switch n.Kind {
	case yaml.MappingNode:
		return w.mergeMap(n, there, depth)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := w.merge(item, there, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("line %d: the merge key << needs a map or a list of maps", w.line)
	}
}

func (w *writer) mergeMap(n *yaml.Node, there map[string]bool, depth int) error {
	for key, value := range pairs(n) {
		if w.spent++; isMerge(key) || there[key.Value] {
			continue
		}
		there[key.Value] = true
		if err := w.field(key, value, depth); err != nil {
			return err
		}
	}
	for key, value := range pairs(n) {
		if !isMerge(key) {
			continue
		}
		if err := w.merge(value, there, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// pairs yields the keys and values of a map.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

func isMerge(key *yaml.Node) bool { return key.ShortTag() == "!!merge" }
