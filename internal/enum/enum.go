// Package enum encodes enumerations by the names of their values.
package enum

import (
	"fmt"
	"slices"
	"strings"
)

// Name returns the name of e, or kind(number) if it has none.
func Name[E ~uint8](kind string, names []string, e E) string {
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("%s(%d)", kind, uint8(e))
}

// Marshal returns the name of e.
func Marshal[E ~uint8](kind string, names []string, e E) ([]byte, error) {
	if int(e) >= len(names) {
		return nil, fmt.Errorf("%s %d has no name", kind, uint8(e))
	}
	return []byte(names[e]), nil
}

// Unmarshal sets e to the value with the name.
func Unmarshal[E ~uint8](kind string, names []string, name []byte, e *E) error {
	i := slices.Index(names, string(name))
	if i < 0 {
		return fmt.Errorf("%s %.40q is not known; want one of %s", kind, name, strings.Join(names, ", "))
	}
	*e = E(i)
	return nil
}
