-- What one record of Kafka does to the working set. Prepended to consume.lua and settle.lua.
-- The order among topics does not matter: whatever comes first waits for the rest.

-- A review that the model was unsure of.
local function apply_task(id, meta_json, data, norm, bands)
  local meta = cjson.decode(meta_json)
  local decided = redis.call('HGET', P .. 'decided', id)
  if decided then
    decided = record_in(decided)
    if decided.print == meta[PRINT] and not decided.withdrawn then
      -- After a rebuild: the question comes back to those who still have to answer it.
      if redis.call('HEXISTS', P .. 'second:by', id) == 1 then
        redis.call('HSET', P .. 'second', id, data)
      end
      if redis.call('HEXISTS', P .. 'dispute', id) == 1 then
        redis.call('HSET', P .. 'dispute:data', id, data)
      end
      -- One of the latest decisions: it can be taken back and corrected.
      if redis.call('ZSCORE', P .. 'kept:at', id) then
        redis.call('HSET', P .. 'kept', id, meta_json)
        redis.call('HSET', P .. 'data', id, data)
        redis.call('HSET', P .. 'norm', id, norm)
      end
      return
    end
  end
  local present = meta_of(id)
  if present and present[PRINT] == meta[PRINT] then return end -- the same event, delivered again
  if present then
    release(id)
    delist(id, present)
    leave_cluster(id, present)
  end
  redis.call('HDEL', P .. 'kept', id)
  redis.call('ZREM', P .. 'kept:at', id)
  redis.call('HSET', P .. 'data', id, data)
  redis.call('HSET', P .. 'norm', id, norm)
  put_meta(id, meta)
  if redis.call('HEXISTS', P .. 'front', meta[CLUSTER]) == 0 then
    redis.call('HSET', P .. 'bands', meta[CLUSTER], bands)
    redis.call('HSET', P .. 'exemplar', meta[CLUSTER], norm)
    for _, band in ipairs(cjson.decode(bands)) do
      redis.call('HSET', P .. 'band', band, meta[CLUSTER])
    end
  end
  join_cluster(id, meta)
end

-- A decision, by whomever. Which one holds is decided by schemas/standing.py alone: the greater string.
local function apply_label(sealed)
  local label = record_in(sealed)
  local id = label.id
  local known = redis.call('HGET', P .. 'decided', id)
  if known then
    known = record_in(known)
    if known.precedence >= label.precedence then return end -- the same one again, or a lower one
    count_held(known, -1)
  end
  count_held(label, 1)
  redis.call('HSET', P .. 'decided', id, sealed)
  local meta = meta_of(id)
  if label.withdrawn then
    if not meta then restore(id) end
  elseif not meta or meta[PRINT] == label.print then
    if meta then forget(id) end
    keep(id, label.at)
  end
end

local function count(j, sign)
  redis.call('HINCRBY', P .. 'done', j.who, sign)
  redis.call('HINCRBY', P .. 'days', j.day .. '|' .. j.who, sign)
  local pace = P .. 'pace:' .. j.who
  if sign > 0 then redis.call('ZADD', pace, j.at, j.id) else redis.call('ZREM', pace, j.id) end
  redis.call('ZREMRANGEBYSCORE', pace, '-inf', j.at - 3600000)
  if j.compared and j.role == 'first' and j.suggested ~= '' and j.category ~= '' then
    local agrees = j.suggested == j.category and 'yes' or 'no'
    redis.call('HINCRBY', P .. 'bias', (j.blind and 'blind|' or 'shown|') .. agrees, sign)
  end
  if j.role == 'second' then
    local pair = cjson.encode({j.other_who, j.who, j.other_category, j.category})
    redis.call('HINCRBY', P .. 'pairs', pair, sign)
  end
end

-- `sealed`: the judgement that opens the question.
local function open_second(id, sealed, at)
  local data = redis.call('HGET', P .. 'data', id)
  if data then redis.call('HSET', P .. 'second', id, data) end
  redis.call('HSET', P .. 'second:by', id, sealed)
  redis.call('ZADD', P .. 'second:at', at, id)
end

local function judged_second(j, sealed)
  local data = redis.call('HGET', P .. 'second', j.id)
  release(j.id)
  close_second(j.id)
  if j.other_category == j.category then return end
  data = data or redis.call('HGET', P .. 'data', j.id)
  redis.call('HSET', P .. 'dispute', j.id, sealed)
  if data then redis.call('HSET', P .. 'dispute:data', j.id, data) end
  redis.call('ZADD', P .. 'dispute:at', j.at, j.id)
end

local function undo_second(j, sealed)
  local data = redis.call('HGET', P .. 'dispute:data', j.id)
  close_dispute(j.id)
  open_second(j.id, sealed, j.at)
  if data then redis.call('HSET', P .. 'second', j.id, data) end
end

-- A correction is no further decision. Who is still to give a second opinion is compared with it.
local function corrected(j, sealed)
  local since = redis.call('ZSCORE', P .. 'second:at', j.id)
  if since then open_second(j.id, sealed, since) end
end

-- An act of a person: the audit trail and everything that is counted.
local function apply_judgement(sealed)
  local j = record_in(sealed)
  redis.call('LPUSH', P .. 'recent', sealed)
  redis.call('LTRIM', P .. 'recent', 0, 999)
  if j.corrects then return corrected(j, sealed) end
  count(j, j.undone and -1 or 1)
  if j.role == 'first' then
    close_second(j.id)
    close_dispute(j.id)
    if j.again and not j.undone then open_second(j.id, sealed, j.at) end
  elseif j.role == 'second' then
    if j.undone then undo_second(j, sealed) else judged_second(j, sealed) end
  elseif j.undone then
    reopen_dispute(j.id, j.at)
  else
    release(j.id)
    settle_dispute(j.id, j.at)
    close_dispute(j.id)
  end
end
