package telemetry

import (
	"sort"
	"time"
)

// history is the readings that were taken of the counters.
type history struct {
	rows        []row // oldest first
	next        time.Time
	every, keep time.Duration
}

// row is one reading of all series that there were.
type row struct {
	at       time.Time
	readings []reading // in the order of the series
}

// scrape reads the counters if it is time.
func (h *history) scrape(at time.Time, c *counters) {
	if at.Before(h.next) {
		return
	}
	h.next = at.Add(h.every)
	var readings []reading
	switch {
	case c.dirty || len(h.rows) == 0:
		readings = make([]reading, len(c.all))
		for i, s := range c.all {
			readings[i] = s.now
		}
		c.dirty = false
	default:
		readings = h.rows[len(h.rows)-1].readings
	}
	h.rows = append(h.rows, row{at, readings})
	for h.rows[0].at.Before(at.Add(-h.keep)) {
		h.rows = h.rows[1:]
	}
}

// between returns the readings after from, up to and including to.
func (h *history) between(from, to time.Time) []row {
	first := sort.Search(len(h.rows), func(i int) bool { return h.rows[i].at.After(from) })
	last := sort.Search(len(h.rows), func(i int) bool { return h.rows[i].at.After(to) })
	return h.rows[min(first, last):last]
}
