package workload

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// leftOut names what a promotion does not carry over from the pod template of the canary;
// "" if nothing is.
func leftOut(stable, source *corev1.PodTemplateSpec) (string, error) {
	to, err := tree(&stable.Spec)
	if err != nil {
		return "", err
	}
	from, err := tree(&source.Spec)
	if err != nil {
		return "", err
	}
	return strings.Join(differing(to.(map[string]any), from.(map[string]any), ""), ", "), nil
}

// differing names the fields in which two objects differ, as what they are of.
func differing(to, from map[string]any, of string) (names []string) {
	keys := maps.Clone(to)
	maps.Copy(keys, from)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch {
		case reflect.DeepEqual(to[key], from[key]), key == "serviceAccount": // the old name of serviceAccountName
		case key == "containers" || key == "initContainers":
			names = append(names, differingContainers(byName(to[key]), byName(from[key]), strings.TrimSuffix(key, "s"))...)
		default:
			names = append(names, key+of)
		}
	}
	return names
}

// differingContainers is differing for containers of one kind, by their names. The images of
// those that both have are what is promoted.
func differingContainers(to, from map[string]map[string]any, kind string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		has, ok := to[name]
		if !ok {
			names = append(names, kind+" "+name)
			continue
		}
		names = append(names, differing(has, from[name], " of "+kind+" "+name)...)
	}
	for _, name := range slices.Sorted(maps.Keys(to)) {
		if _, ok := from[name]; !ok {
			names = append(names, kind+" "+name+" (stable keeps it)")
		}
	}
	return names
}

// byName returns a list of objects by their names.
func byName(list any) map[string]map[string]any {
	all := map[string]map[string]any{}
	items, _ := list.([]any)
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			name, _ := object["name"].(string)
			all[name] = object
		}
	}
	return all
}
