package canary

import (
	"fmt"
	"time"
)

// Reply says whether what was asked is so. The zero value is no reply.
type Reply uint8

// The replies.
const (
	unasked Reply = iota
	Yes           // it is so
	Wait          // not yet; the engine asks again
	No            // it failed, and to wait does not help; a rollout rolls back
)

// Because returns the Answer r with a formatted reason.
func (r Reply) Because(format string, args ...any) Answer {
	return Answer{Reply: r, Reason: fmt.Sprintf(format, args...)}
}

// Answer is a Reply with its reason, in words that a person on call understands.
type Answer struct {
	Reply  Reply
	Reason string
	// Since is since when it has been so; only a Verifier says that. Zero is now.
	Since time.Time
}
