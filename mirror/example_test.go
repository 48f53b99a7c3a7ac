package mirror_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
)

// By default, only requests that do not write are mirrored.
func ExampleMethods() {
	for _, m := range []mirror.Methods{nil, {"GET", "POST"}, {mirror.Every}, {"get"}} {
		fmt.Println(m.Names(), m.Validate())
	}
	// Output:
	// [GET HEAD OPTIONS] <nil>
	// [GET POST] <nil>
	// [*] <nil>
	// [get] method 0: "get" is listed twice or is not a method in upper case; to mirror all methods, use {"*"} alone
}

func ExampleSteps() {
	like := canary.Step{Name: "mirror", Hold: 10 * time.Minute}
	for _, s := range mirror.Steps(like, canary.Percent, canary.Full) {
		fmt.Printf("%s for %v: %v\n", s.Name, s.Hold, s.Traffic)
	}
	// Output:
	// mirror 1% for 10m0s: canary 0%, mirror 1%
	// mirror 100% for 10m0s: canary 0%, mirror 100%
}

func TestStepsMirrorTheSharesInTurn(t *testing.T) {
	like := canary.Step{Name: "dark", Hold: time.Minute, Traffic: canary.Traffic{Canary: 3}}
	require.Equal(t, []canary.Step{
		{Name: "dark 1%", Hold: time.Minute, Traffic: canary.Traffic{Mirror: canary.Percent}, Requires: canary.NoFailure},
		{Name: "dark 100%", Hold: time.Minute, Traffic: canary.Traffic{Mirror: canary.Full}, Requires: canary.NoFailure},
	}, mirror.Steps(like, canary.Percent, canary.Full))
	require.Empty(t, mirror.Steps(canary.Step{}, canary.Full)[0].Name)
	require.Equal(t, canary.Nothing, mirror.Steps(canary.Step{Requires: canary.Nothing}, canary.Full)[0].Requires)
}
