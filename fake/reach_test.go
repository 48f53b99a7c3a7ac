package fake_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// The last rules that a proxy took are kept, however many came before them, and
// however many objects are refused by others.
func TestTheRulesOfBeforeASecondBadObjectStay(t *testing.T) {
	server := bookinfo(t, service("own", "stranger", 9080), virtualService("private", ns, "hosts: [x.example.com]\n  exportTo: [elsewhere]", "{"+bad+"}"))
	mesh := fake.NewMesh(server, fake.Config{})
	answer := func(i int) {
		setRules(t, server, fmt.Sprintf("[{match: [{headers: {x: {exact: r%d}}}], directResponse: {status: 200}}, {directResponse: {status: %d}}]", i, 400+i))
	}
	for i := range 30 {
		answer(i)
		require.Equal(t, 400+i, mesh.Send(1, client)[0].Code)
	}
	require.Equal(t, 1, fake.Kept(mesh), "what the next rules replace for everybody is forgotten")
	require.NoError(t, server.Load([]byte(virtualService("z", "stranger", "hosts: [own]", "{"+bad+"}"))))
	for i := 30; i < 60; i++ {
		answer(i)
		require.Equal(t, 429, mesh.Send(1, client)[0].Code)
	}
	require.NoError(t, server.Delete(virtualservices, "stranger", "z"))
	require.Equal(t, 459, mesh.Send(1, client)[0].Code)
}
