// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// sumRootJSON is a SumRoot as clients see it: hash in hex, sum as a decimal
// string of base units (RPC-02).
type sumRootJSON struct {
	Hash  string `json:"hash"`
	Sum   uint64 `json:"sum,string"`
	Count uint64 `json:"count"`
}

// MarshalJSON writes {"hash": "0x…", "sum": "…", "count": n}.
func (r SumRoot) MarshalJSON() ([]byte, error) {
	return json.Marshal(sumRootJSON{"0x" + hex.EncodeToString(r.Hash[:]), r.Sum, r.Count})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *SumRoot) UnmarshalJSON(b []byte) error {
	var j sumRootJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	var h [32]byte
	if len(j.Hash) != 2+2*len(h) || j.Hash[:2] != "0x" {
		return fmt.Errorf("%.80q is no hash; write 0x and 64 hex digits", j.Hash)
	}
	if _, err := hex.Decode(h[:], []byte(j.Hash[2:])); err != nil {
		return fmt.Errorf("%.80q is no hash: %w", j.Hash, err)
	}
	r.Hash, r.Sum, r.Count = h, j.Sum, j.Count
	return nil
}
