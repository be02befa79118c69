// SPDX-License-Identifier: Apache-2.0

package hftest

import "github.com/openledger/openledger/gpu/format/tokenizer"

// corpus is what tokenizers learn from unless a test brings a text.
const corpus = `The ledger pays those whose data made an answer good, and anyone can compute the answer again.
A model is trained in steps, each step is committed to, and whoever is drawn checks the steps that were drawn.
Data and weights are named by their hash, so the name is the proof. One wrong bit shows, and whoever lied pays for it.
The trainer, the checker and the reader of the ledger use the same arithmetic on every machine, to the last bit.`

// TokenizerJSON is tokenizer.Learn.
func TokenizerJSON(text string, vocab int) []byte { return tokenizer.Learn(text, vocab) }
