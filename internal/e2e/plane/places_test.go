package plane

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachPortOfEachAddressHasAPlaceOfItsOwn(t *testing.T) {
	for name, p := range map[string]*places{
		"where all of 127/8 is loopback": newPlaces(),
		"where 127.0.0.1 alone is":       {network: firstNetwork, given: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			defer p.close()
			whose := map[string]string{}
			for _, ip := range []string{p.pod(0), p.pod(1), p.pod(250)} {
				for _, port := range []int{80, 443, 9080, 15020} {
					at, err := p.of(ip, port)
					require.NoError(t, err)
					again, err := p.of(ip, port)
					require.NoError(t, err)
					require.Equal(t, at, again)
					require.Empty(t, whose[at])
					whose[at] = fmt.Sprint(ip, port)
					addr, err := net.ResolveTCPAddr("tcp", at)
					require.NoError(t, err)
					require.True(t, addr.IP.IsLoopback())
					require.GreaterOrEqual(t, addr.Port, 1024, "nobody has to be root")
				}
			}
			_, err := p.of("192.0.2.1", 80)
			require.Error(t, err)
		})
	}
}

func TestAPodThatBeginsAnewIsWhereItWas(t *testing.T) {
	p := newPlaces()
	defer p.close()
	pod := Pod{Address: p.pod(0), places: p}
	first, err := pod.Listen(9080)
	require.NoError(t, err)
	require.NoError(t, first.Close())
	second, err := pod.Listen(9080)
	require.NoError(t, err)
	defer second.Close()
	require.Equal(t, first.Addr(), second.Addr())
}

func TestTwoPlanesOnAMachineHaveNoAddressInCommon(t *testing.T) {
	one, two := newPlaces(), newPlaces()
	defer one.close()
	defer two.close()
	if one.claim == nil {
		require.Nil(t, two.claim) // each port is chosen free
		return
	}
	require.NotEqual(t, one.pod(0), two.pod(0))
	require.NotEqual(t, "10.98", two.pod(0)[:5], "the network of Services")
}
