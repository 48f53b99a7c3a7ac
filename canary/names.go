package canary

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clip makes s a text of one line that takes at most n bytes when it is encoded
// as JSON, quotes apart. What is no text becomes a space.
func clip(s string, n int) string {
	size, fits := 0, 0 // fits is how much stands before an ellipsis
	for i, r := range s {
		if size <= n-len(ellipsis) {
			fits = i
		}
		w := width(r)
		if w == 0 {
			return clip(oneLine(s), n)
		}
		if size += w; size > n {
			return s[:fits] + ellipsis
		}
	}
	return s
}

const ellipsis = "..."

// width is how many bytes encoding/json writes for r; zero if r is no text.
func width(r rune) int {
	switch {
	case r == utf8.RuneError, unicode.IsControl(r):
		return 0
	case r == '"', r == '\\':
		return 2
	case r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029':
		return 6
	}
	return utf8.RuneLen(r)
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if width(r) == 0 {
			return ' '
		}
		return r
	}, s)
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
