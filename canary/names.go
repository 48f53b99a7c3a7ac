package canary

import (
	"fmt"
	"slices"
	"strings"
)

// marshalName and unmarshalName encode an enumeration by the names of its
// values.

func marshalName[E ~uint8](kind string, names []string, e E) ([]byte, error) {
	if int(e) >= len(names) {
		return nil, fmt.Errorf("canary: %s %d has no name", kind, uint8(e))
	}
	return []byte(names[e]), nil
}

func unmarshalName[E ~uint8](kind string, names []string, text []byte, e *E) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fmt.Errorf("canary: %s %q is not known; want one of %s", kind, clip(string(text), 40), strings.Join(names, ", "))
	}
	*e = E(i)
	return nil
}

// clip shortens s to at most n bytes, on a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "..."
}

func nameOf[E ~uint8](kind string, names []string, e E) string {
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("%s(%d)", kind, uint8(e))
}
