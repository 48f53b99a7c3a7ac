// Package routing moves traffic between the versions of a service by the http
// rules of an Istio VirtualService.
//
// A renderer is pure: [HTTP.Read] tells what traffic an object asks for and
// [HTTP.Render] gives the JSON patch that makes it ask for another. The patch
// touches what the rollout owns and nothing else: the weights of the steered
// rules, a canary or baseline destination that was missing, the mirror to the
// canary, rules that are derived from them for the time of the rollout, and two
// annotations. What other people wrote survives byte for byte,
// also fields that are newer than the Istio API this package was built with.
//
// A [Router] reads and patches real objects, and keeps the State of the rollout
// in the annotation [StateAnnotation] of the same object, in the same patch.
// Several services may share one object: each [Target] has an ID, and annotations
// of its own.
// [Subsets] puts up the subsets of a DestinationRule before the traffic that
// needs them.
package routing

// The annotations that Serin owns, beside those of a target.
const (
	// SubsetsAnnotation holds what Subsets added to a DestinationRule.
	SubsetsAnnotation = domain + "subsets"

	domain = "serin-go.github.io/"
)

// StateAnnotation is the annotation that holds the State of the rollout of a
// target, given the target's ID, as canary.State encodes itself.
func StateAnnotation(id string) string { return domain + id }

// AbortAnnotation is the annotation that orders an Abort of the rollout of a
// target, with the reason as its value. Every driver obeys it, also if the State
// cannot be read, and removes it then:
//
//	kubectl annotate virtualservice reviews serin-go.github.io/reviews.abort='orders are lost'
func AbortAnnotation(id string) string { return domain + id + ".abort" }

// OriginalAnnotation is the annotation that holds the weights that the rules of a
// target had before the rollout. It is there only while a canary or baseline has
// live traffic.
func OriginalAnnotation(id string) string { return domain + id + ".original" }
