// Package routing moves traffic between the versions of a service by the http
// rules of an Istio VirtualService.
//
// A renderer is pure: [HTTP.Read] tells what traffic an object asks for and
// [HTTP.Render] gives the JSON patch that makes it ask for another. The patch
// touches what the rollout owns and nothing else: the weights of the steered
// rules, a canary or baseline destination that was missing, the mirror to the
// canary, and two annotations. What other people wrote survives byte for byte,
// also fields that are newer than the Istio API this package was built with.
//
// A [Router] reads and patches real objects, and keeps the State of the rollout
// in the annotation [StateAnnotation] of the same object, in the same patch.
// [Subsets] puts up the subsets of a DestinationRule before the traffic that
// needs them, and [Doors] rules by which a request chooses its version.
package routing

// The annotations that Serin owns.
const (
	// StateAnnotation holds the State of the rollout, as canary.State encodes
	// itself.
	StateAnnotation = "serin-go.github.io/rollout"
	// AbortAnnotation orders an Abort, with the reason as its value. Every driver
	// obeys it, also if the State cannot be read, and removes it then:
	//
	//	kubectl annotate virtualservice reviews serin-go.github.io/rollout.abort='orders are lost'
	AbortAnnotation = StateAnnotation + ".abort"
	// OriginalAnnotation holds the weights that the steered rules had before
	// the rollout. It is there only while a canary or baseline has live traffic.
	OriginalAnnotation = "serin-go.github.io/original"
	// SubsetsAnnotation holds what Subsets added to a DestinationRule.
	SubsetsAnnotation = "serin-go.github.io/subsets"
	// DoorsAnnotation holds for which rollout Doors added rules, and when.
	DoorsAnnotation = "serin-go.github.io/doors"
)
