package apiserver

import (
	"fmt"
	"maps"
	"math"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// parse parses a document. Numbers become int64 or float64, as everywhere in Kubernetes.
func parse(raw []byte) (map[string]any, error) {
	var tree map[string]any
	if err := utiljson.Unmarshal(raw, &tree); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding the document: %v", err))
	}
	if tree == nil {
		return nil, apierrors.NewBadRequest("the document is empty")
	}
	return tree, nil
}

func dropNulls(value any) {
	switch v := value.(type) {
	case map[string]any:
		for k, member := range v {
			if member == nil {
				delete(v, k)
			} else {
				dropNulls(member)
			}
		}
	case []any:
		for _, item := range v {
			dropNulls(item)
		}
	}
}

// whole returns the integer that a number with a decimal point equals.
func wholeNumbers(value any) {
	switch v := value.(type) {
	case map[string]any:
		for k, member := range v {
			if n, ok := whole(member); ok {
				v[k] = n
			}
			wholeNumbers(member)
		}
	case []any:
		for i, item := range v {
			if n, ok := whole(item); ok {
				v[i] = n
			}
			wholeNumbers(item)
		}
	}
}

// whole returns the integer that a number with a decimal point is.
func whole(value any) (int64, bool) {
	v, ok := value.(float64)
	n := int64(v)
	return n, ok && math.Abs(v) < 1<<53 && float64(n) == v
}

// metadata returns the tree's metadata, or a new empty map if there is none.
func metadata(tree map[string]any) map[string]any {
	meta, ok := tree["metadata"].(map[string]any)
	if !ok {
		return map[string]any{}
	}
	return meta
}

// withMetadata returns a copy of the tree whose metadata is a copy with some members set.
func withMetadata(tree, set map[string]any) map[string]any {
	tree = maps.Clone(tree)
	meta := maps.Clone(metadata(tree))
	maps.Copy(meta, set)
	for _, name := range []string{"annotations", "labels"} {
		if entries, ok := meta[name].(map[string]any); ok && len(entries) == 0 {
			delete(meta, name) // as on the real server: the next client that adds an annotation must add the map
		}
	}
	tree["metadata"] = meta
	return tree
}

// equal compares two parsed values. reflect.DeepEqual does the same, but allocates.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, value := range a {
			other, ok := b[name]
			if !ok || !equal(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	return isScalar(b) && a == b
}

func isScalar(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func labelsOf(meta map[string]any) labels.Set {
	given, _ := meta["labels"].(map[string]any)
	set := make(labels.Set, len(given))
	for k := range given {
		set[k] = text(given, k)
	}
	return set
}
