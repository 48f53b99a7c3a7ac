package fake

// Kept returns how many views the proxies of a mesh hold on to.
func Kept(m *Mesh) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.net.Views.Kept()
}
