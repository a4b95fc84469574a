package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/hutong-gov/hutong/test/story/search"
)

// Found is a database of a node in which a text stands.
type Found struct {
	Database string // its folder, below the folder that was searched
	Text     int    // number of the text
}

// Databases searches the keys and values of every LevelDB below a folder: ledgers' states, private data and its transient
// store, indexes. The nodes must have stopped. It reads what the databases hold, not what their files may still have of what was
// deleted until they are compacted.
func Databases(root string, texts []string) (searched int, found []Found, err error) {
	finder := search.New(texts)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "CURRENT" {
			return err
		}
		folder := filepath.Dir(path)
		seen, err := within(folder, finder)
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		searched++
		below, err := filepath.Rel(root, folder)
		for _, text := range seen {
			found = append(found, Found{filepath.ToSlash(below), text})
		}
		return err
	})
	return searched, found, err
}

// within gives the numbers of the texts that stand in a database.
func within(folder string, finder *search.Finder) (texts []int, err error) {
	db, err := leveldb.OpenFile(folder, &opt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	seen := map[int]bool{}
	entries := db.NewIterator(nil, nil)
	defer entries.Release()
	for entries.Next() {
		for _, raw := range [][]byte{entries.Key(), entries.Value()} {
			for _, text := range finder.Find(raw) {
				if !seen[text] {
					seen[text], texts = true, append(texts, text)
				}
			}
		}
	}
	return texts, entries.Error()
}

// Files counts the files below a folder in which a text stands as bytes, deleted or not.
func Files(root string, texts []string) (found []Found, err error) {
	finder := search.New(texts)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, path)
		for _, text := range finder.Find(raw) {
			found = append(found, Found{filepath.ToSlash(below), text})
		}
		return err
	})
	return found, err
}

// of are the findings of a text in databases whose folder contains a word.
func of(found []Found, text int, word string) (list []Found) {
	for _, f := range found {
		if f.Text == text && strings.Contains(f.Database, word) {
			list = append(list, f)
		}
	}
	return list
}
