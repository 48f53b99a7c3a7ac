package canary

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxTold  = 30  // mistakes
	maxText  = 400 // bytes of what is said of one
	maxShown = 40  // bytes of what was found
)

// mistake is one thing that is wrong with a plan or another document.
type mistake struct {
	place place
	// also is a second place that the mistake is about; nil for none.
	also place
	text string
	node *node // where it is, if there is a document
}

// place is a path in an encoded plan, such as steps, 3 "shop 20%", hold.
type place []string

func (m mistake) String() string {
	where := strings.Join(m.place, " ")
	if m.node != nil && m.place == nil {
		where = m.node.place()
	}
	if where = strings.TrimSpace(where); where == "" {
		return m.text
	}
	return where + ": " + m.text
}

// mistakes collects what is wrong.
type mistakes []mistake

// add adds a mistake about a field, or about the whole if that is "", and about
// a second field unless that is "".
func (all *mistakes) add(field, also, format string, args ...any) {
	m := mistake{text: fmt.Sprintf(format, args...)}
	if field != "" {
		m.place = place{field}
	}
	if also != "" {
		m.also = place{also}
	}
	*all = append(*all, m)
}

// within adds the mistakes of a part of the whole.
func (all *mistakes) within(at place, part mistakes) {
	for _, m := range part {
		m.place = slices.Concat(at, m.place)
		if m.also != nil {
			m.also = slices.Concat(at, m.also)
		}
		*all = append(*all, m)
	}
}

// merge adds to what was wrong in decoding what a check found in the outcome,
// but for what is so because it was not decoded, and sorts them as they stand in
// the document.
func (d *decoder) merge(root *node, found mistakes) {
	if d.more > 0 {
		return
	}
	for _, m := range found {
		n, bad := root.find(m.place)
		if m.also != nil && !bad {
			_, bad = root.find(m.also)
		}
		if m.node = n; !bad {
			d.wrong = append(d.wrong, m)
		}
	}
	slices.SortStableFunc(d.wrong, func(a, b mistake) int { return cmp.Compare(a.node.at, b.node.at) })
}

// told makes one error of the first of the mistakes. With a document of several
// lines, each has its line.
func told(wrong mistakes, more int, document []byte) error {
	if len(wrong) > maxTold {
		more += len(wrong) - maxTold
		wrong = wrong[:maxTold]
	}
	var errs []error
	for _, m := range wrong {
		at := ""
		if m.node != nil {
			at = line(document, m.node.at)
		}
		errs = append(errs, errors.New(at+m.String()))
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}

// line is the beginning of a message about a place in a document; "" if the
// document has one line only.
func line(document []byte, at int) string {
	if !bytes.Contains(bytes.TrimRight(document, " \t\r\n"), []byte("\n")) {
		return ""
	}
	return fmt.Sprintf("line %d: ", 1+bytes.Count(document[:at], []byte("\n")))
}
