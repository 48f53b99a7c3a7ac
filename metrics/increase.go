package metrics

import "time"

// Sample is one reading of a counter of requests and of the bad ones among
// them. A counter of bad requests alone has Total equal to Bad, one of good
// requests has no Bad.
type Sample struct {
	At     time.Time
	Counts Counts
}

// Series is the readings of one counter, in the order of time.
type Series struct {
	// Target is the process that was read, as the store names it; "" if unknown.
	Target  string
	Samples []Sample
}
