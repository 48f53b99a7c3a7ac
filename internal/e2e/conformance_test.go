package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var update = flag.Bool("update", false, "rewrite the files of known differences")

// The file holds what the fake is known to do in another way. Whoever mends the
// fake makes it shorter.
func TestTheFakeDiffersFromARealAPIServerInNothingButWhatIsKnown(t *testing.T) {
	allVirtualServiceStories := slices.Concat(virtualServiceStories,
		attempts(createSpec("VirtualService"), virtualServiceSpecs), attempts(createRule, slices.Concat(httpRules, uncheckedRules)))
	allDestinationRuleStories := slices.Concat(destinationRuleStories, attempts(createSpec("DestinationRule"), slices.Concat(destinationRuleSpecs, uncheckedSpecs)))
	stories, requests := 0, 0
	for _, c := range []struct {
		file     string
		resource schema.GroupVersionResource
		webhook  bool
		stories  []story
	}{
		{"virtualservices.txt", virtualServices, false, allVirtualServiceStories},
		{"virtualservices-webhook.txt", virtualServices, true, allVirtualServiceStories},
		{"destinationrules.txt", destinationRules, false, allDestinationRuleStories},
		{"destinationrules-webhook.txt", destinationRules, true, allDestinationRuleStories},
		{"deployments.txt", deployments, false, slices.Concat(deploymentStories, attempts(patchPaused, slices.Concat(deploymentPatches, uncheckedPatches)))},
	} {
		t.Run(c.file, func(t *testing.T) {
			pair := newPair(t, c.resource, c.webhook)
			var text strings.Builder
			for i, s := range c.stories {
				stories, requests = stories+1, requests+len(s.requests)
				found, err := pair.differences(t.Context(), fmt.Sprintf("subject-%d", i), s.requests)
				require.NoError(t, err, s.name)
				if len(found) > 0 {
					fmt.Fprintf(&text, "%s\n%s\n\n", s.name, strings.Join(found, "\n"))
				}
			}
			compare(t, "testdata/differences/"+c.file, text.String())
		})
	}
	t.Logf("%d stories with %d requests compared", stories, requests)
}

// compare holds a text against a file, or writes it there.
func compare(t *testing.T, file, text string) {
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	known, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(known), text)
}
