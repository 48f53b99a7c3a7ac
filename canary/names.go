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

// nearest returns which of the names is nearest to a word that is none of them;
// "" if none is near.
func nearest(word string, names []string) string {
	const far = 3
	best, least := "", far
	if len(word) > maxName {
		return ""
	}
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least && 2*d <= len(name) {
			best, least = name, d
		}
	}
	return best
}

// distance is how many bytes must be put in, taken out or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // the distances of the beginning of a to those of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := i
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
