// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
)

type signedJSON struct {
	Receipt Receipt         `json:"receipt"`
	Key     ID              `json:"key"`
	Sig     channel.SigText `json:"sig"`
}

// MarshalJSON writes key and signature as hex text.
func (s SignedReceipt) MarshalJSON() ([]byte, error) {
	return json.Marshal(signedJSON{s.Receipt, ID(s.Key), channel.SigText(s.Sig)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SignedReceipt) UnmarshalJSON(b []byte) error {
	var j signedJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = SignedReceipt{Receipt: j.Receipt, Key: keys.PublicKey(j.Key), Sig: keys.Signature(j.Sig)}
	return nil
}
