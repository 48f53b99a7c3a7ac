package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var update = flag.Bool("update", false, "rewrite the files of known differences")

// The file holds what the fake is known to do in another way. Whoever mends the
// fake makes it shorter.
func TestTheFakeDiffersFromARealAPIServerInNothingButWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		file     string
		resource schema.GroupVersionResource
		webhook  bool
		stories  []story
	}{
		{"virtualservices.txt", virtualServices, false, virtualServiceStories},
		{"virtualservices-webhook.txt", virtualServices, true, virtualServiceStories},
		{"destinationrules.txt", destinationRules, false, destinationRuleStories},
		{"destinationrules-webhook.txt", destinationRules, true, destinationRuleStories},
		{"deployments.txt", deployments, false, deploymentStories},
	} {
		t.Run(c.file, func(t *testing.T) {
			pair := newPair(t, c.resource, c.webhook)
			var text strings.Builder
			for i, s := range c.stories {
				found, err := pair.differences(t.Context(), fmt.Sprintf("subject-%d", i), s.requests)
				require.NoError(t, err, s.name)
				if len(found) > 0 {
					fmt.Fprintf(&text, "%s\n%s\n\n", s.name, strings.Join(found, "\n"))
				}
			}
			compare(t, "testdata/differences/"+c.file, text.String())
		})
	}
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
