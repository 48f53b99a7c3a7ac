package workload

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// operation is one operation of a JSON patch (RFC 6902). Only remove has no value.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// patchOf returns the JSON patch for a move on d, or nil if nothing changes. r is the
// record that was read from d. The patch is valid only for the version of d that was
// read. d is not changed.
func patchOf(d *appsv1.Deployment, r record, m move) ([]byte, error) {
	from, err := tree(&d.Spec.Template)
	if err != nil {
		return nil, err
	}
	to, err := tree(m.template)
	if err != nil {
		return nil, err
	}
	ops := diff("/spec/template", from, to)
	if !reflect.DeepEqual(r, m.record) {
		text, err := json.Marshal(m.record)
		if err != nil {
			return nil, err
		}
		ops = append(ops, annotate(d, Annotation, string(text)))
	}
	if len(ops) == 0 {
		return nil, nil
	}
	guard := operation{"replace", "/metadata/resourceVersion", d.ResourceVersion}
	return json.Marshal(slices.Insert(ops, 0, guard))
}

func annotate(object metav1.Object, key, text string) operation {
	if object.GetAnnotations() == nil {
		return operation{"add", "/metadata/annotations", map[string]string{key: text}}
	}
	return operation{"add", "/metadata/annotations/" + pointer.Replace(key), text}
}

// tree returns v as decoded JSON.
func tree(v any) (tree any, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return tree, d.Decode(&tree)
}

// diff returns the operations that change from into to. It descends as deep as possible,
// so that fields unknown to both values are not touched.
func diff(path string, from, to any) []operation {
	if reflect.DeepEqual(from, to) {
		return nil
	}
	if a, ok := from.(map[string]any); ok {
		if b, ok := to.(map[string]any); ok {
			return diffMaps(path, a, b)
		}
	}
	if a, ok := from.([]any); ok {
		if b, ok := to.([]any); ok && sameItems(a, b) {
			var ops []operation
			for i := range a {
				ops = append(ops, diff(path+"/"+strconv.Itoa(i), a[i], b[i])...)
			}
			return ops
		}
	}
	return []operation{{"replace", path, to}}
}

func diffMaps(path string, from, to map[string]any) []operation {
	var ops []operation
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, ok := to[key]; !ok {
			ops = append(ops, operation{Op: "remove", Path: path + "/" + pointer.Replace(key)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(to)) {
		at := path + "/" + pointer.Replace(key)
		if old, ok := from[key]; ok {
			ops = append(ops, diff(at, old, to[key])...)
		} else {
			ops = append(ops, operation{"add", at, to[key]})
		}
	}
	return ops
}

// sameItems reports whether the lists have items of the same names in the same order.
// Only then can the items be compared in pairs.
func sameItems(a, b []any) bool {
	return slices.EqualFunc(a, b, func(x, y any) bool {
		m, ok := x.(map[string]any)
		n, also := y.(map[string]any)
		return ok && also && m["name"] != nil && m["name"] == n["name"]
	})
}
