-- A few hundred rows, the same on every run: every "random" pick is arithmetic on the row's number.

INSERT INTO customers (id, email, name, city, country, vip, born, settings, created_at)
SELECT n,
       lower(first || '.' || replace(last, ' ', '') || n) || '@example.com',
       first || ' ' || last,
       CASE WHEN n % 11 = 0 THEN NULL WHEN n % 13 = 0 THEN '' ELSE place[1] END,
       place[2],
       n % 9 = 0,
       CASE WHEN n % 5 = 0 THEN NULL ELSE date '1955-03-01' + (n * 397) % 18000 END,
       jsonb_build_object('newsletter', n % 3 = 0, 'language', lower(place[2])),
       timestamptz '2025-01-01 08:00:00+00' + n * interval '7 hours 13 minutes 0.000437 seconds'
FROM generate_series(1, 120) AS n,
     LATERAL (SELECT (ARRAY['Anna','Bruno','Chloé','Dmitri','Elif','Fatima','Giulia','Håkon','Inês','Jürgen','Kaito','Lucía'])[1 + n * 7 % 12] AS first,
                     (ARRAY['Meyer','Rossi','Dubois','O''Neill','Yılmaz','Nowak','Silva','Åkesson','van den Berg','Tanaka','García','Kowalska','Horváth'])[1 + n * 5 % 13] AS last,
                     (ARRAY['Berlin','Milano','Lyon','Dublin','İzmir','Kraków','Porto','Malmö','Utrecht','Ōsaka'])[1 + n * 3 % 10] AS city,
                     (ARRAY['DE','IT','FR','IE','TR','PL','PT','SE','NL','JP'])[1 + n * 3 % 10] AS country) AS names,
     LATERAL (SELECT ARRAY[city, country] AS place) AS places;

INSERT INTO products (id, sku, name, category, price, weight_kg, tags, attributes, description, discontinued, updated_at)
SELECT n,
       upper(left(category, 3)) || '-' || lpad(n::text, 4, '0'),
       adjective || ' ' || noun,
       category,
       round((3 + n * 17 % 240 + (n * 31 % 100) / 100.0)::numeric, 2),
       CASE WHEN n % 7 = 0 THEN NULL ELSE round((0.05 + n * 13 % 90 / 10.0)::numeric, 2)::double precision END,
       CASE WHEN n % 6 = 0 THEN '{}' ELSE ARRAY[lower(adjective), CASE WHEN n % 4 = 0 THEN 'gift, "wrapped"' ELSE 'everyday' END] END,
       jsonb_build_object('color', (ARRAY['black','white','walnut','copper','sage'])[1 + n % 5], 'warrantyMonths', 12 * (1 + n % 3), 'size', jsonb_build_object('w', n % 40 + 5, 'h', n % 25 + 3)),
       CASE WHEN n % 8 = 0 THEN NULL ELSE 'Made to last.' || E'\n' || adjective || ' ' || lower(noun) || ' for every day.' END,
       n % 29 = 0,
       timestamptz '2025-06-01 12:00:00+00' + n * interval '3 hours 0.010203 seconds'
FROM generate_series(1, 80) AS n,
     LATERAL (SELECT (ARRAY['Solid','Quiet','Bright','Compact','Nordic','Classic','Rustic'])[1 + n * 4 % 7] AS adjective,
                     (ARRAY['kitchen','office','garden','outdoor','living'])[1 + n % 5] AS category) AS kind,
     LATERAL (SELECT (CASE category
                        WHEN 'kitchen' THEN ARRAY['Kettle','Knife','Pan','Mortar']
                        WHEN 'office' THEN ARRAY['Lamp','Notebook','Chair','Shelf']
                        WHEN 'garden' THEN ARRAY['Spade','Hose','Lantern','Planter']
                        WHEN 'outdoor' THEN ARRAY['Tent','Stove','Flask','Rope']
                        ELSE ARRAY['Sofa','Rug','Vase','Mirror'] END)[1 + n / 5 % 4] AS noun) AS thing;

INSERT INTO stock (product_id, warehouse, quantity)
SELECT p.id, w.name, (p.id * w.factor) % 50
FROM products p, (VALUES ('berlin', 7), ('lyon', 11), ('porto', 5)) AS w (name, factor)
WHERE (p.id + w.factor) % 4 <> 0;

INSERT INTO orders (id, customer_id, status, note, placed_at, shipped_at)
SELECT n,
       1 + n * 7 % 120,
       (ARRAY['new','paid','packed','shipped','delivered','delivered','cancelled'])[1 + n % 7]::order_status,
       CASE n % 6 WHEN 0 THEN 'Please ring twice' WHEN 1 THEN '' ELSE NULL END,
       timestamptz '2025-09-01 09:30:00+00' + n * interval '1 hour 7 minutes 0.123456 seconds',
       CASE WHEN n % 7 IN (3, 4, 5) THEN timestamptz '2025-09-03 10:00:00+00' + n * interval '1 hour 7 minutes' END
FROM generate_series(1, 150) AS n;

INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
SELECT o.id, l, p.id, 1 + (o.id + l) % 3, p.price
FROM orders o
CROSS JOIN LATERAL generate_series(1, (1 + o.id % 3)::integer) AS l
JOIN products p ON p.id = 1 + (o.id * 11 + l * 17) % 60;

UPDATE orders o SET total = i.total
FROM (SELECT order_id, sum(quantity * unit_price) AS total FROM order_items GROUP BY order_id) AS i
WHERE i.order_id = o.id;

INSERT INTO carts (id, customer_id, items, coupon, updated_at)
SELECT md5('cart ' || n)::uuid,
       CASE WHEN n % 3 = 0 THEN NULL ELSE 1 + n * 5 % 120 END,
       jsonb_build_array(jsonb_build_object('product', 1 + n * 3 % 80, 'quantity', 1 + n % 2)),
       CASE WHEN n % 4 = 0 THEN 'WELCOME{10}' END,
       timestamptz '2025-10-01 18:00:00+00' + n * interval '11 minutes 0.000001 seconds'
FROM generate_series(1, 25) AS n;

-- The next generated number follows the seeded ones.
SELECT setval(pg_get_serial_sequence('customers', 'id'), (SELECT max(id) FROM customers)),
       setval(pg_get_serial_sequence('products', 'id'), (SELECT max(id) FROM products)),
       setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders));
