package canary

import "fmt"

// Reply is the outcome of asking the world a ask. The zero value is a
// ask not asked yet.
type Reply uint8

// The replies.
const (
	Unasked Reply = iota // not asked yet
	Yes                  // it holds
	Wait                 // not yet; asking again later can help
	No                   // it has failed and waiting will not mend it
)

// Answer is a Reply with its reason in words that a person on call
// understands.
type Answer struct {
	Reply  Reply
	Reason string
}

// Waiting returns the Answer Wait with a formatted reason.
func Waiting(format string, args ...any) Answer {
	return Answer{Wait, fmt.Sprintf(format, args...)}
}

// Failed returns the Answer No with a formatted reason.
func Failed(format string, args ...any) Answer {
	return Answer{No, fmt.Sprintf(format, args...)}
}
