// Package routing moves traffic between the versions of a service. It changes the http
// rules of an Istio VirtualService.
//
// The renderer [HTTP] is pure: [HTTP.Read] returns the traffic that an object asks for,
// and [HTTP.Render] returns the JSON patch that makes the object ask for other traffic.
// The patch changes only what the rollout owns:
//
//   - the weights of the steered rules,
//   - missing destinations of the canary and the baseline,
//   - the mirror to the canary,
//   - rules derived from the steered rules while the rollout lasts,
//   - the annotations of the target.
//
// Everything else in the object stays byte for byte, including fields that are newer than
// the Istio API this package was built with.
//
// A [Router] reads and patches the objects of a cluster. It stores the State of the
// rollout in the [StateAnnotation] of the same object, in the same patch as the traffic.
// Several rollouts may share one object: each [Target] has its own ID, and so its own
// annotations.
//
// [Subsets] adds the missing subsets of a DestinationRule before traffic is sent to them.
package routing

// The annotations of Serin that do not belong to a target.
const (
	// SubsetsAnnotation records which subsets [Subsets] added to a DestinationRule.
	SubsetsAnnotation = domain + "subsets"

	domain = "serin-go.github.io/"
)

// StateAnnotation returns the name of the annotation that holds the State of the rollout,
// for a target with this ID. The value is the JSON of canary.State.
func StateAnnotation(id string) string { return domain + id }

// AbortAnnotation returns the name of the annotation that aborts the rollout of the
// target with this ID. Set it to the reason. Every driver obeys it, even if the State
// cannot be read, and then removes it:
//
//	kubectl annotate virtualservice reviews serin-go.github.io/reviews.abort='orders are lost'
func AbortAnnotation(id string) string { return domain + id + ".abort" }

// OriginalAnnotation returns the name of the annotation that holds the weights from
// before the rollout, for the target with this ID. The annotation exists only while the
// canary or the baseline has live traffic.
func OriginalAnnotation(id string) string { return domain + id + ".original" }
