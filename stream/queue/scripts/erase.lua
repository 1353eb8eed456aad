-- Forget everything that was written of one review. ARGV: its id.
-- What people decided stays counted: the counters hold neither text nor id.
local id = ARGV[1]
local norm = redis.call('HGET', P .. 'norm', id)
local meta = meta_of(id)
local kept = redis.call('HGET', P .. 'kept', id)
local found = 0

local decided = redis.call('HGET', P .. 'decided', id)
if decided then count_held(record_in(decided), -1) end
release(id)
if meta then
  delist(id, meta)
  leave_cluster(id, meta)
end
-- A cluster is compared by the text of whoever founded it, also after that one has left.
local cluster = meta and meta[CLUSTER] or (kept and cjson.decode(kept)[CLUSTER]) or id
if norm and redis.call('HGET', P .. 'exemplar', cluster) == norm then
  local front = redis.call('HGET', P .. 'front', cluster)
  local other = front and redis.call('HGET', P .. 'norm', front)
  if other then redis.call('HSET', P .. 'exemplar', cluster, other) else dissolve(cluster) end
end
for _, name in ipairs({
  'meta', 'data', 'norm', 'kept', 'decided', 'second', 'second:by', 'dispute', 'dispute:data',
  'settled', 'settled:data',
}) do
  found = found + redis.call('HDEL', P .. name, id)
end
for _, name in ipairs({'kept:at', 'second:at', 'dispute:at', 'settled:at'}) do
  redis.call('ZREM', P .. name, id)
end
return found
