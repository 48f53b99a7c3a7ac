package canary

import "fmt"

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
	return Answer{r, fmt.Sprintf(format, args...)}
}

// Answer is a Reply with its reason, in words that a person on call understands.
type Answer struct {
	Reply  Reply
	Reason string
}
