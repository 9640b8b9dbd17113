#!lua
-- Changes vaulted tokens of one space and one partition: one call is one transaction.
--
-- KEYS: the partition's counts, its list of spaces, then each item's token bucket and (not for
-- `replace`) its index bucket and its bucket of erased tokens. All are declared: in a Cluster that
-- moves a slot, a bucket that has left would else look empty, and a value get a second token.
-- ARGV: which change, how long a token is, "1" where replicas hold what is written, then what
-- each change says.
--
-- A token's record is its index and what is sealed. Erased tokens are kept apart, so that looking
-- for one is looking for one that never was.

local call = redis.call
local change, width, replicated = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local counts, spaces = KEYS[1], KEYS[2]
local INDEX = 16

-- Adds to the counts. Where nothing was written the answer still tells of what others wrote,
-- which must be on the replicas too before it leaves: so something is written. (`WAIT` waits for
-- what its own client wrote; that it did for more before Redis 7.2 is promised nowhere.)
local function count(taken, erased, told)
  if erased > 0 then call('HINCRBY', counts, 'erased', erased) end
  if taken > 0 or (told and replicated and erased == 0) then
    local all = call('HINCRBY', counts, 'taken', taken)
    if all == taken and taken > 0 then
      call('HSET', spaces, string.match(counts, '}(.*):n$'), 1)
    end
  end
end

-- ARGV: `most`, the key version, then each entry as token, index and what is sealed in one text.
-- Answers 1: kept; 0: the token is taken; 2: full; 3: of a key version that is taken no more; or the
-- token that the index has.
local function create()
  local most, taken, told = tonumber(ARGV[4]), 0, false
  local head = call('HMGET', counts, 'taken', 'oldest', 'erased')
  local held, old = tonumber(head[1] or 0), tonumber(ARGV[5]) < tonumber(head[2] or 0)
  local any_erased = head[3]
  local answers = {}
  for i = 1, #ARGV - 5 do
    local entry, tokens, indexes = ARGV[i + 5], KEYS[3 * i], KEYS[3 * i + 1]
    local index = string.sub(entry, width + 1, width + INDEX)
    local known = call('HGET', indexes, index)
    if known then
      answers[i], told = known, true
    elseif old then
      answers[i] = 3
    elseif held + taken >= most then
      answers[i] = 2
    else
      local token = string.sub(entry, 1, width)
      if any_erased and call('HEXISTS', KEYS[3 * i + 2], token) == 1 then
        answers[i] = 0
      else
        answers[i] = call('HSETNX', tokens, token, string.sub(entry, width + 1))
      end
      if answers[i] == 1 then
        call('HSET', indexes, index, token)
        taken = taken + 1
      end
    end
  end
  count(taken, 0, told)
  return answers
end

-- ARGV: of each token, itself and the index it was found with ('' for none). Answers 1: erased;
-- 0: there was none; 2: it has another index now, whose bucket is not declared.
local function erase()
  local taken, erased = 0, 0
  local answers = {}
  for i = 1, (#ARGV - 3) / 2 do
    local tokens, indexes, gone = KEYS[3 * i], KEYS[3 * i + 1], KEYS[3 * i + 2]
    local token, index = ARGV[2 * i + 2], ARGV[2 * i + 3]
    local record = call('HGET', tokens, token)
    if not record then
      local fresh = call('HSETNX', gone, token, '')
      taken, erased = taken + fresh, erased + fresh
      answers[i] = 0
    elseif string.sub(record, 1, INDEX) ~= index then
      answers[i] = 2
    else
      call('HDEL', tokens, token)
      call('HSET', gone, token, '')
      if call('HGET', indexes, index) == token then call('HDEL', indexes, index) end
      erased = erased + 1
      answers[i] = 1
    end
  end
  count(taken, erased, true)
  return answers
end

-- ARGV: of each token, itself, what is sealed now and what shall be. Answers 1: replaced; 0: not.
local function replace()
  local answers = {}
  for i = 1, (#ARGV - 3) / 3 do
    local tokens, token = KEYS[i + 2], ARGV[3 * i + 1]
    local record = call('HGET', tokens, token)
    if record and string.sub(record, INDEX + 1) == ARGV[3 * i + 2] then
      call('HSET', tokens, token, string.sub(record, 1, INDEX) .. ARGV[3 * i + 3])
      answers[i] = 1
    else
      answers[i] = 0
    end
  end
  return answers
end

-- ARGV: the oldest key version that may still seal.
local function retire()
  local oldest = math.max(tonumber(ARGV[4]), tonumber(call('HGET', counts, 'oldest') or 0))
  call('HSET', counts, 'oldest', oldest)
end

return ({create = create, erase = erase, replace = replace, retire = retire})[change]()
