# Checks an export of a changelog: one entry a line as it was served, oldest
# first, on stdin. Prints the workspace, the last sequence and its hash.
import hashlib, json, sys

def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()

workspace, sequence, previous = None, 0, None
for line in sys.stdin:
    line = line.rstrip("\n")
    entry = json.loads(line)
    if workspace is None:
        workspace, previous = entry["workspace_id"], sha(entry["workspace_id"])
    sequence += 1
    # An entry is served as the text that was hashed, with the hash added.
    hashed = sha(line.replace(f'"hash":"{entry["hash"]}",', "", 1))
    if (entry["workspace_id"], entry["sequence"], entry["prev_hash"], entry["hash"]) != (workspace, sequence, previous, hashed):
        sys.exit(f"the entry at {sequence} does not fit")
    previous = hashed
print(workspace, sequence, previous)
