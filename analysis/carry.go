package analysis

import (
	"encoding/binary"
	"slices"
)

// pack makes one Carry of those of several, in their order; nil if none has one.
// Each begins with its length.
func pack(parts [][]byte) []byte {
	if !slices.ContainsFunc(parts, func(p []byte) bool { return len(p) > 0 }) {
		return nil
	}
	var packed []byte
	for _, part := range parts {
		packed = append(binary.AppendUvarint(packed, uint64(len(part))), part...)
	}
	return packed
}

// unpack undoes pack. What was packed for another number of analyzers is none of
// theirs: all then get nil.
func unpack(packed []byte, n int) [][]byte {
	parts := make([][]byte, n)
	for i := range parts {
		length, size := binary.Uvarint(packed)
		if size <= 0 || length > uint64(len(packed)-size) {
			return make([][]byte, n)
		}
		if packed = packed[size:]; length > 0 {
			parts[i], packed = packed[:length], packed[length:]
		}
	}
	if len(packed) > 0 {
		return make([][]byte, n)
	}
	return parts
}
