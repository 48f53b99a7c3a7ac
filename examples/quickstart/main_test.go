package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/serin-go/serin/fake/apiserver"
)

var update = flag.Bool("update", false, "rewrite role.yaml")

func TestAGoodVersionIsPromotedAndNoRequestIsLost(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Equal(t, promoted, run(t.Context(), []string{"-plan", "testdata/plan.yaml"}, &out), out.String())
	for _, want := range []string{
		"dark launch", "on to half", "on to everybody", "PromotingStable", "Returning",
		" 0 failed in a version, 0 on a broken route", "the VirtualService's spec is what it was before", "reviews: promoted (stable is promoted: stable reviews-v1: ",
	} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "\x1b[", "colour is for terminals")
}

func TestABadVersionIsRolledBackBeforeAUserSeesIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Equal(t, rolledBack, run(t.Context(), []string{"-plan", "testdata/plan.yaml", "-bad"}, &out), out.String())
	for _, want := range []string{
		`rolled back: the judge failed step "dark launch": canary has `, " 0 failed in a version, 0 on a broken route",
		"the VirtualService's spec is what it was before",
	} {
		require.Contains(t, out.String(), want)
	}
}

// The cluster is the embedded one, reached as any other: by a kubeconfig and
// the URL of a Prometheus server.
func TestTheSameProgramRunsOnACluster(t *testing.T) {
	t.Parallel()
	w, err := newWorld(options{})
	require.NoError(t, err)
	defer w.close()
	cluster, err := w.serve(w.api)
	require.NoError(t, err)
	l := startLoad(w.gateway)
	defer l.stop()

	config := clientcmdapi.NewConfig()
	config.Clusters["here"] = &clientcmdapi.Cluster{Server: cluster.String()}
	config.Contexts["here"] = &clientcmdapi.Context{Cluster: "here"}
	config.CurrentContext = "here"
	path := filepath.Join(t.TempDir(), "config")
	require.NoError(t, clientcmd.WriteToFile(*config, path))

	var out bytes.Buffer
	args := []string{"-kubeconfig", path, "-prometheus", w.prometheus, "-plan", "testdata/plan.yaml", "-look", "500ms"}
	require.Equal(t, promoted, run(t.Context(), args, &out), out.String())
	l.stop()
	require.Zero(t, l.broken(), l)
	require.Equal(t, 6, w.api.Requests()[apiserver.Request{Verb: "create", Resource: "selfsubjectaccessreviews.authorization.k8s.io"}],
		"each right is asked for once")
	text, ok := w.api.Get("deployments.apps", namespace, "reviews-v1")
	require.True(t, ok)
	require.Contains(t, string(text), `"image":"reviews:2"`)
}

func TestTheRoleInTheFileIsWhatThePlanNeeds(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Equal(t, promoted, run(t.Context(), []string{"-role", "-plan", "plan.yaml"}, &out))
	if *update {
		require.NoError(t, os.WriteFile("role.yaml", out.Bytes(), 0o644))
	}
	want, err := os.ReadFile("role.yaml")
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func TestMistakesAreToldInWords(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(bad, []byte("name: p\nsteps:\n- {canary: 10}\n"), 0o600))
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"-nonsense", usage, "flag provided but not defined"},
		{"-kubeconfig x", usage, "give both -kubeconfig and -prometheus"},
		{"more", usage, "no other arguments"},
		{"-plan nowhere.yaml", failed, "no such file"},
		{"-plan " + bad, failed, "line 3: steps 1 canary: found 10"},
		{"-manifests nowhere.yaml", failed, "no such file"},
		{"-kubeconfig nowhere -prometheus http://127.0.0.1:1", failed, "no such file"},
	} {
		var out bytes.Buffer
		require.Equal(t, c.status, run(t.Context(), strings.Fields(c.args), &out), c.args)
		require.Contains(t, out.String(), c.want, c.args)
	}
}

func TestAnInterruptLeavesTheTrafficWhereItIs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.Equal(t, failed, run(ctx, nil, &out))
	require.Contains(t, out.String(), "context canceled")
}
